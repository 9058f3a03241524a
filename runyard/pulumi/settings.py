"""Settings of a project and its stacks, as Pulumi reads them from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from runyard.errors import UsageError
from runyard.pulumi.backend import PROJECT
from runyard.pulumi.project import SETTINGS, stack_settings

_MANIFESTS = f"{PROJECT}:manifests"


def read_manifests(project: Path, stack: str) -> str:
    """Read which manifests a stack has, as paths from the project on with commas between; "" if none are set.

    The stack's own setting counts before the project's, as with Pulumi. UsageError names a file that cannot be read.
    """
    for file in (project / stack_settings(stack), project / SETTINGS):
        value = _config(file).get(_MANIFESTS)
        # In a project's settings, a value may stand below a key of its own.
        value = value.get("value", value.get("default")) if isinstance(value, dict) else value
        if value is not None:
            return str(value)
    return ""


def _config(file: Path) -> dict[str, Any]:
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"read the settings in {file}: {error}") from None
    config = read.get("config") if isinstance(read, dict) else None
    return config if isinstance(config, dict) else {}

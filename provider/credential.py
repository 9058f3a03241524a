"""Credentials for image registries, as the client's Docker configuration has them, helpers included."""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runyard.errors import HostError

# The registry that an image without one comes from, and the name under which clients keep its credentials.
_HUB = "docker.io"
_HUB_KEY = f"https://index.{_HUB}/v1/"
# What helpers give for a user when the secret is an identity token (docker/docker-credential-helpers).
_TOKEN_USER = "<token>"  # noqa: S105 - no secret
# A helper asks a keychain, which may ask a person.
_HELPER_TIMEOUT_S = 60

Run = Callable[[str, str], str]


def registry_of(image: str) -> str:
    """Name the registry of an image's reference: what stands before the first slash, if that can be a host."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else _HUB


def load_credentials(image: str, environment: Mapping[str, str] = os.environ, run: Run | None = None) -> str:
    """Give the credentials for an image's registry as the engine takes them (X-Registry-Auth); empty without any.

    HostError says which file or helper does not work.
    """
    registry = registry_of(image)
    directory = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME", "/"), ".docker")
    config = _load(Path(directory, "config.json"))
    keys = (_HUB_KEY,) if registry == _HUB else (registry, f"https://{registry}", f"https://{registry}/v1/")
    helper = next((found for key in keys if (found := (config.get("credHelpers") or {}).get(key))), None)
    helper = helper or config.get("credsStore")
    if helper:
        return _encode(_ask(helper, keys[0], run or _run), keys[0])
    entry = next((found for key in keys if (found := (config.get("auths") or {}).get(key))), None)
    return _encode(_entry(entry, registry), keys[0]) if entry else ""


def _load(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise HostError(f"read credentials for registries in {file}: {error}") from None
    if not isinstance(found, dict):
        raise HostError(f"read credentials for registries in {file}: must be a JSON object")
    return found


def _entry(entry: Mapping[str, Any], registry: str) -> Mapping[str, str]:
    if entry.get("identitytoken"):
        return {"identitytoken": str(entry["identitytoken"])}
    try:
        user, colon, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise HostError(f"read credentials for {registry}: auth must be base64 of user:password")
    return {"username": user, "password": password.rstrip("\0")}


def _ask(helper: str, registry: str, run: Run) -> Mapping[str, str]:
    told = run(helper, registry)
    if not told:
        return {}
    try:
        found = json.loads(told)
        user, secret = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError):
        raise HostError(f"ask docker-credential-{helper} for {registry}: it gave no user and secret") from None
    return {"identitytoken": secret} if user == _TOKEN_USER else {"username": user, "password": secret}


def _run(helper: str, registry: str) -> str:
    """Run a credential helper; empty if it has nothing for this registry."""
    name = f"docker-credential-{helper}"
    command = shutil.which(name)
    if command is None:
        raise HostError(f"ask {name} for {registry}: it is not on the PATH")
    try:
        asked = subprocess.run(  # noqa: S603 - a fixed argument list
            [command, "get"], input=registry, capture_output=True, text=True, timeout=_HELPER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"ask {name} for {registry}: {error}") from None
    if asked.returncode and "not found" in asked.stdout:
        return ""
    if asked.returncode:
        # On standard output by the helpers' protocol; never the secret, which comes with success alone.
        raise HostError(f"ask {name} for {registry}: {(asked.stdout or asked.stderr).strip()}")
    return asked.stdout


def _encode(found: Mapping[str, str], registry: str) -> str:
    if not found:
        return ""
    return base64.urlsafe_b64encode(json.dumps({**found, "serveraddress": registry}).encode()).decode()

"""Json: Docker's descriptions, and what of a container's is read in more than one place. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def labels_of(inspection: Json) -> Mapping[str, str]:
    """Give a container's labels."""
    return inspection["Config"].get("Labels") or {}


def name_of(inspection: Json) -> str:
    """Give a container's name."""
    return str(inspection["Name"]).lstrip("/")

"""Outputs of a stack as lines of text."""

from __future__ import annotations

from typing import Any


def flatten(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Flatten outputs to (dotted name, text) in the order of their names; a list stays on one line."""
    if isinstance(value, dict):
        return [each for name in sorted(value) for each in flatten(value[name], f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [(path, " ".join(str(item) for item in value))]
    return [(path, str(value))]

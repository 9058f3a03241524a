"""Manifests: `load` reads, checks and types them, or raises ManifestError with every problem.

The door is opened on first use: the parts on the host import only the model from here, and have no YAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.manifest.loader import Loaded, load

__all__ = ["Loaded", "load"]


def __getattr__(name: str) -> Any:
    """Import the loader when one of its names is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from runyard.manifest import loader

    return getattr(loader, name)

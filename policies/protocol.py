"""Protocol: Pulumi's generated messages for analyzers, without the library around them, whose import takes 0.3 s."""

from __future__ import annotations

import importlib.util
import sys
import types
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

# A name of our own, so that who imports the whole library later gets it whole.
_PACKAGE = "pulumi_protocol"


def _generated(name: str) -> types.ModuleType:
    if _PACKAGE not in sys.modules:
        # Finds where the library is and executes nothing of it.
        library = importlib.util.find_spec("pulumi")
        if library is None or not library.submodule_search_locations:
            raise ModuleNotFoundError("No module named 'pulumi'")
        package = types.ModuleType(_PACKAGE)
        package.__path__ = [str(Path(library.submodule_search_locations[0], "runtime", "proto"))]
        sys.modules[_PACKAGE] = package
    return import_module(f"{_PACKAGE}.{name}")


if TYPE_CHECKING:
    from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2
else:
    analyzer_pb2 = _generated("analyzer_pb2")
    analyzer_pb2_grpc = _generated("analyzer_pb2_grpc")
    plugin_pb2 = _generated("plugin_pb2")

__all__ = ["analyzer_pb2", "analyzer_pb2_grpc", "plugin_pb2"]

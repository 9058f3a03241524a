"""Protocol of Pulumi: its generated messages, imported without the SDK that lies around them.

The SDK takes 0.27 s to import, this a tenth of that, and each kind of message is imported when it is first used. They
have a package name of our own, so that the SDK can still be imported beside them.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

_PACKAGE = "pulumi_protocol"


def _generated(name: str) -> types.ModuleType:
    if _PACKAGE not in sys.modules:
        # Finding a package does not import it.
        found = importlib.util.find_spec("pulumi")
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError("No module named 'pulumi'")
        package = types.ModuleType(_PACKAGE)
        package.__path__ = [str(Path(found.submodule_search_locations[0], "runtime", "proto"))]
        sys.modules[_PACKAGE] = package
    return import_module(f"{_PACKAGE}.{name}")


if TYPE_CHECKING:
    from pulumi.runtime.proto import (
        analyzer_pb2,
        analyzer_pb2_grpc,
        engine_pb2,
        engine_pb2_grpc,
        plugin_pb2,
        provider_pb2,
        provider_pb2_grpc,
    )
else:

    def __getattr__(name: str) -> types.ModuleType:
        # The provider and the policy pack need different ones, and each takes milliseconds.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _generated(name)


__all__ = [
    "analyzer_pb2",
    "analyzer_pb2_grpc",
    "engine_pb2",
    "engine_pb2_grpc",
    "plugin_pb2",
    "provider_pb2",
    "provider_pb2_grpc",
]

"""Analyzer: what Pulumi asks the pack of each resource, with nothing taken apart that no rule looks at.

Pulumi's library turns each resource three times from its wire format into Python's objects, also those of types that no
rule reads; for fifty services that cost a preview two seconds. It cannot be told which types matter, so its server is
derived from here. The server's name is a private one: where an update of the library takes it away, the pack does not
load, and what does not load refuses.
"""

from __future__ import annotations

from typing import Any

from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import policy

from policies.handwritten import PLAIN
from policies.resource import RESOURCE_TYPES

# Without types, as private names have none; mypy wants a type of what a class is derived from.
_LIBRARY: Any = policy
# How Pulumi marks a secret, an asset or a reference among properties (pulumi/pulumi, sdk/go/common/resource/sig).
_SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - no secret


class Analyzer(_LIBRARY._PolicyAnalyzerServicer):  # type: ignore[misc]
    """Pulumi's server of a pack, for the types that rules look at."""

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Ask the rules of resources about one."""
        if request.type not in RESOURCE_TYPES:
            return analyzer_pb2.AnalyzeResponse()
        given = request.properties.fields
        for key in PLAIN:
            # The library hands secrets over like any other value; the provider marks a list of which one is secret.
            if key in given and _SECRET_MARK in given[key].struct_value.fields:
                del given[key]
        return super().Analyze(request, context)

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Ask the rules of whole stacks."""
        # Here, where it has been imported meanwhile; see policies.pack.
        from policies.stack import STACK_TYPES

        kept = [each for each in request.resources if each.type in STACK_TYPES]
        del request.resources[:]
        request.resources.extend(kept)
        return super().AnalyzeStack(request, context)

    def Remediate(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Change nothing: no rule has a remedy that could be applied without asking."""
        return analyzer_pb2.RemediateResponse()


def install() -> None:
    """Have Pulumi's library serve packs with it, from now on."""
    _LIBRARY._PolicyAnalyzerServicer = Analyzer

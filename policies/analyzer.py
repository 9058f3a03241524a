"""Analyzer: the pack in Pulumi's analyzer protocol.

Every method answers, and none may be called unimplemented: Pulumi passes over what a pack does not know, and goes on.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2

from policies.declared import Settings
from policies.pack import Pack
from policies.property import read_properties
from policies.resource import Resource
from policies.rule import Finding
from runyard.errors import RunyardError
from runyard.pulumi.project import project_of_pack
from runyard.pulumi.protocol import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

NAME, VERSION = "runyard", "0.1.0"
_LEVELS = {"mandatory": analyzer_pb2.MANDATORY, "advisory": analyzer_pb2.ADVISORY}
# Pulumi shows a finding below the policy that it is of; each message begins with its rule.
_POLICIES = {"mandatory": "resources", "advisory": "advice"}
_PAGE = "docs/policies.md#rules-of-resources"


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """The server of a pack."""

    def __init__(self, pack: Pack) -> None:
        """Serve `pack`."""
        self._pack = pack
        self._root = ""

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's names, all of them here
        """Take note of where the pack was found, which tells the project; the engine is never called back."""
        # As the user typed it, so perhaps from the directory on in which Pulumi was started.
        if request.root_directory:
            self._root = project_of_pack(os.path.join(_started_in(), request.root_directory))
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell the version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell the policies; none of them can be configured, so none can be switched off."""
        info = analyzer_pb2.AnalyzerInfo(name=NAME, version=VERSION, supportsConfig=False)
        for severity, said in (("mandatory", "must not be"), ("advisory", "should not be")):
            info.policies.add(
                name=_POLICIES[severity],
                description=f"What no resource {said}. See {_PAGE}",
                enforcementLevel=_LEVELS[severity],
                policy_type=analyzer_pb2.POLICY_TYPE_RESOURCE,
            )
        return info

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take no configuration: Pulumi sends none to a pack that has none."""
        return empty_pb2.Empty()

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Judge what the stack declares; the error that it gives otherwise ends the update before it begins."""
        settings = Settings(request.stack, request.project, dict(request.config), request.dry_run, self._root)
        try:
            self._pack.configure(settings)
        except Exception as error:
            _refuse(context, error)
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Judge a resource as it registers."""
        answer = analyzer_pb2.AnalyzeResponse()
        try:
            answer.diagnostics.extend(_diagnostic(each, request.urn) for each in self._pack.judge(_read(request)))
        except Exception as error:
            _refuse(context, error)
        return answer

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say nothing more: all was said as it registered, when it could still be refused."""
        return analyzer_pb2.AnalyzeResponse()

    def Remediate(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change nothing: no rule has a remedy that could be applied without asking."""
        return analyzer_pb2.RemediateResponse()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Have nothing to end: Pulumi interrupts a pack when it is through with it."""
        return empty_pb2.Empty()


def serve(pack: Pack) -> tuple[grpc.Server, int]:
    """Start a pack's server on a free port of the loopback; give it and the port."""
    # One at a time: sums grow with each resource.
    server = grpc.server(ThreadPoolExecutor(max_workers=1), options=[("grpc.max_receive_message_length", -1)])
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(pack), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _started_in() -> str:
    """Find the directory of the process that started this one; "" where there is none to be found."""
    try:
        return os.readlink(f"/proc/{os.getppid()}/cwd")
    except OSError:
        return ""


def _read(request: Any) -> Resource:
    properties = read_properties(request.properties)
    plain = read_properties(request.properties, secrets=False)
    # Pulumi names the provider of everything but of components and of providers themselves.
    component = not request.HasField("provider") and not request.type.startswith("pulumi:providers:")
    return Resource(request.type, request.name, request.urn, properties, plain, component=component)


def _diagnostic(finding: Finding, urn: str) -> Any:
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=_POLICIES[finding.severity],
        policyPackName=NAME,
        policyPackVersion=VERSION,
        message=finding.text(),
        enforcementLevel=_LEVELS[finding.severity],
        urn=urn,
    )


def _refuse(context: Any, error: Exception) -> None:
    """Refuse the update, with the reason where it is one of ours, else with what went wrong; does not come back."""
    said = str(error) if isinstance(error, RunyardError) else f"policy pack: {type(error).__name__}: {error}"
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, said)

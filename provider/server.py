"""Server of Pulumi's provider protocol: translates its messages to plain values for the kinds, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2

from provider import wire
from provider.kind import Kind, Outputs, ResourceState, Unfinished
from runyard.errors import RunyardError
from runyard.pulumi.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc

PACKAGE = "runyard:index:"
_ADDED = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.ADD, inputDiff=True)
VERSION = "0.1.0"


class Server(provider_pb2_grpc.ResourceProviderServicer):
    """The provider, of the kinds by their short names."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        check: Callable[[], None] = lambda: None,
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve `kinds`; `check` refuses by an error to change anything, `cancel` ends all waiting."""
        self._kinds = kinds
        self._check = check
        self._cancel = cancel

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Agree on secrets as such, and on nothing else that is more than values."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell the version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take any configuration: there is none."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Find no change in it."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Agree as in the handshake."""
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        """End all waiting."""
        self._cancel()
        return empty_pb2.Empty()

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say what is wrong with a resource's inputs."""
        with _told(context):
            kind = self._kind(request.urn)
            # What is as it was has been checked then.
            reasons = () if request.news == request.olds else kind.check(wire.decode(request.news))
            failures = [provider_pb2.CheckFailure(reason=each) for each in reasons]
            return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Name the inputs that differ, and what is lost; Pulumi itself shows how inputs differ, and of those alone."""
        with _told(context):
            kind, state = self._kind(request.urn), _state(request.id, request.old_inputs, request.olds)
            changed, lost = kind.diff(state, wire.decode(request.news)), kind.find_lost(state)
            keys = sorted({*changed, *lost})
            return provider_pb2.DiffResponse(
                changes=provider_pb2.DiffResponse.DIFF_SOME if keys else provider_pb2.DiffResponse.DIFF_NONE,
                diffs=keys,
                # What is lost comes anew. Of a difference without details, Pulumi would show every input.
                detailedDiff={key: _ADDED for key in lost} | {key: _difference(key, request) for key in changed},
                hasDetailedDiff=True,
            )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a resource, or foresee what it will be."""
        with _told(context):
            kind, inputs = self._kind(request.urn), wire.decode(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(properties=_properties(kind.foresee(inputs)))
            self._check()
            identity = kind.identify(inputs)
            with _kept(context, identity, request.properties):
                return provider_pb2.CreateResponse(id=identity, properties=_properties(kind.create(inputs)))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change a resource, or foresee what it will be."""
        with _told(context):
            kind, inputs = self._kind(request.urn), wire.decode(request.news)
            if request.preview:
                return provider_pb2.UpdateResponse(properties=_properties(kind.foresee(inputs)))
            self._check()
            with _kept(context, request.id, request.news):
                state = _state(request.id, request.old_inputs, request.olds)
                return provider_pb2.UpdateResponse(properties=_properties(kind.update(state, inputs)))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell a refresh that a resource is as the state has it, or is gone."""
        with _told(context):
            if not self._kind(request.urn).exists(_state(request.id, request.inputs, request.properties)):
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Remove a resource."""
        with _told(context):
            self._check()
            self._kind(request.urn).delete(_state(request.id, request.old_inputs, request.properties))
            return empty_pb2.Empty()

    def _kind(self, urn: str) -> Kind:
        # urn:pulumi:<stack>::<project>::<types of the parents and its own, parted by $>::<name>
        name = urn.split("::")[2].rpartition("$")[2].removeprefix(PACKAGE)
        if name not in self._kinds:
            raise RunyardError(f"resource type {PACKAGE}{name}: must be one of {', '.join(sorted(self._kinds))}")
        return self._kinds[name]


class _told:  # noqa: N801 - reads as a verb at its with
    """Tell the errors of Runyard's tree as they are; every other is a fault of ours and comes with its traceback."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, RunyardError):
            # Of Pulumi's codes one that says that nothing is unclear about the resource.
            self._context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


class _kept:  # noqa: N801 - reads as a verb at its with
    """Have the state keep a resource that is unfinished, by the detail of an error that Pulumi knows for that."""

    def __init__(self, context: Any, identity: str, inputs: Any) -> None:
        self._context = context
        self._identity = identity
        self._inputs = inputs

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Unfinished):
            return
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=self._identity, properties=_properties(error.outputs), inputs=self._inputs, reasons=[str(error)]
            )
        )
        code = grpc.StatusCode.FAILED_PRECONDITION
        status = status_pb2.Status(code=code.value[0], message=str(error), details=[detail])
        # The name that gRPC gives to the whole of a status, details and all.
        self._context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        self._context.abort(code, str(error))


def _difference(key: str, request: Any) -> Any:
    """Say what becomes of an input; a path into it would blank Pulumi's preview of a text that is JSON."""
    kinds = provider_pb2.PropertyDiff
    before, after = key in request.old_inputs.fields, key in request.news.fields
    kind = kinds.UPDATE if before and after else kinds.DELETE if before else kinds.ADD
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=True)


def _state(identity: str, inputs: Any, outputs: Any) -> ResourceState:
    return ResourceState(identity, wire.decode(inputs), wire.decode(outputs))


def _properties(outputs: Outputs) -> Any:
    return wire.encode(outputs.plain, outputs.secret)

"""The provider as Pulumi speaks with it: over gRPC, with secrets, previews, failures and partial states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from google.rpc import status_pb2

from provider import wire
from provider.kind import Kind, Outputs, ResourceState, Unfinished, Values
from provider.server import Server
from runyard.errors import HostError, LockError
from runyard.pulumi.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc

URN = "urn:pulumi:dev::runyard::runyard:gateway:Gateway$runyard:index:Thing::thing"


class Thing(Kind):
    """A resource that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.there = True
        self.lost: tuple[str, ...] = ()

    def identify(self, inputs: Values) -> str:
        return f"{inputs['stack']}/thing"

    def check(self, inputs: Values) -> Sequence[str]:
        return () if inputs.get("size", 1) else ("size: must be at least 1, got 0",)

    def find_lost(self, _state: ResourceState) -> Sequence[str]:
        return self.lost

    def foresee(self, _inputs: Values) -> Outputs:
        return Outputs({"made": wire.UNKNOWN})

    def create(self, inputs: Values) -> Outputs:
        self.asked.append(("create", inputs))
        if self.failure is not None:
            raise self.failure
        return Outputs({"made": "yes"}, {"token": "s3cret"})

    def update(self, state: ResourceState, inputs: Values) -> Outputs:
        self.asked.append(("update", state, inputs))
        if self.failure is not None:
            raise self.failure
        return Outputs({"made": "again"})

    def exists(self, _state: ResourceState) -> bool:
        return self.there

    def delete(self, state: ResourceState) -> None:
        self.asked.append(("delete", state))


class Provider:
    """A provider that is served on a port of this machine."""

    def __init__(self) -> None:
        self.thing = Thing()
        self.killed = False
        self.cancelled = False
        self.server = grpc.server(ThreadPoolExecutor(2))
        servicer = Server({"Thing": self.thing}, self.check, self.cancel)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, self.server)
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)

    def check(self) -> None:
        if self.killed:
            raise LockError("the update was killed")

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.channel.close()
    made.server.stop(None).wait()


def create(provider: Provider, inputs: Mapping[str, Any], **more: Any) -> Any:
    return provider.stub.Create(provider_pb2.CreateRequest(urn=URN, properties=wire.encode(inputs), **more))


def test_handshake_takes_secrets_as_such(provider: Provider) -> None:
    answer = provider.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
    assert (answer.accept_secrets, answer.accept_resources, answer.accept_outputs) == (True, False, False)
    configured = provider.stub.Configure(provider_pb2.ConfigureRequest())
    assert (configured.acceptSecrets, configured.supportsPreview) == (True, True)
    assert isinstance(provider.stub.GetPluginInfo(empty_pb2.Empty()), plugin_pb2.PluginInfo)


def test_configuration_of_the_provider_itself_is_none(provider: Provider) -> None:
    given = wire.encode({"version": "1"})
    assert provider.stub.CheckConfig(provider_pb2.CheckRequest(news=given)).inputs == given
    answer = provider.stub.DiffConfig(provider_pb2.DiffRequest(news=given))
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_check_gives_inputs_back_as_they_came_secrets_and_all(provider: Provider) -> None:
    given = wire.encode({"size": 0}, {"key": "k"})
    answer = provider.stub.Check(provider_pb2.CheckRequest(urn=URN, news=given))
    assert answer.inputs == given
    assert [each.reason for each in answer.failures] == ["size: must be at least 1, got 0"]


def test_diff_names_the_inputs_that_differ_and_no_secret_that_does_not(provider: Provider) -> None:
    old, same = wire.encode({"size": 1}, {"key": "k"}), provider_pb2.DiffResponse.DIFF_NONE
    answer = provider.stub.Diff(provider_pb2.DiffRequest(urn=URN, id="i", old_inputs=old, news=old))
    assert (answer.changes, list(answer.diffs)) == (same, [])
    new = wire.encode({"size": 2, "more": ""}, {})
    answer = provider.stub.Diff(provider_pb2.DiffRequest(urn=URN, id="i", old_inputs=old, news=new))
    assert (answer.changes, list(answer.diffs)) == (provider_pb2.DiffResponse.DIFF_SOME, ["key", "more", "size"])
    kinds = provider_pb2.PropertyDiff
    assert {key: (each.kind, each.inputDiff) for key, each in answer.detailedDiff.items()} == {
        "key": (kinds.DELETE, True),
        "more": (kinds.ADD, True),
        "size": (kinds.UPDATE, True),
    }


def test_what_is_lost_is_shown_as_coming_anew(provider: Provider) -> None:
    old = wire.encode({"size": 1})
    provider.thing.lost = ("made",)
    answer = provider.stub.Diff(provider_pb2.DiffRequest(urn=URN, id="i", old_inputs=old, news=old))
    assert (answer.changes, list(answer.diffs)) == (provider_pb2.DiffResponse.DIFF_SOME, ["made"])
    assert [(key, each.kind) for key, each in answer.detailedDiff.items()] == [("made", provider_pb2.PropertyDiff.ADD)]


def test_creation_gives_id_and_outputs(provider: Provider) -> None:
    answer = create(provider, {"stack": "dev", "size": 3})
    assert answer.id == "dev/thing"
    assert answer.properties == wire.encode({"made": "yes"}, {"token": "s3cret"})
    assert provider.thing.asked == [("create", {"stack": "dev", "size": 3})]


def test_preview_changes_nothing(provider: Provider) -> None:
    unknown = wire.encode({"made": wire.UNKNOWN})
    assert create(provider, {"stack": "dev"}, preview=True).properties == unknown
    answer = provider.stub.Update(provider_pb2.UpdateRequest(urn=URN, id="i", preview=True))
    assert answer.properties == unknown
    assert provider.thing.asked == []


def test_update_knows_what_was_and_deletion_too(provider: Provider) -> None:
    old, out = wire.encode({"size": 1}, {"key": "k"}), wire.encode({}, {"token": "t"})
    provider.stub.Update(
        provider_pb2.UpdateRequest(urn=URN, id="i", old_inputs=old, olds=out, news=wire.encode({"size": 2}))
    )
    provider.stub.Delete(provider_pb2.DeleteRequest(urn=URN, id="i", old_inputs=old, properties=out))
    state = ResourceState("i", {"size": 1, "key": "k"}, {"token": "t"})
    assert provider.thing.asked == [("update", state, {"size": 2}), ("delete", state)]


def test_refresh_keeps_what_is_there_and_forgets_what_is_gone(provider: Provider) -> None:
    request = provider_pb2.ReadRequest(urn=URN, id="i", inputs=wire.encode({"a": "b"}), properties=wire.encode({}))
    answer = provider.stub.Read(request)
    assert (answer.id, answer.inputs, answer.properties) == ("i", request.inputs, request.properties)
    provider.thing.there = False
    assert provider.stub.Read(request).id == ""


def test_error_is_told_as_it_is_and_leaves_the_state_alone(provider: Provider) -> None:
    provider.thing.failure = HostError("start web-2: no such image")
    with pytest.raises(grpc.RpcError) as raised:
        create(provider, {"stack": "dev"})
    # Of Internal, DataLoss and Unknown, Pulumi would say that the resource's state is unknown.
    assert (raised.value.code(), raised.value.details()) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "start web-2: no such image",
    )
    assert dict(raised.value.trailing_metadata()) == {}


@pytest.mark.parametrize("verb", ["create", "update"])
def test_unfinished_resource_stays_in_the_state_with_its_reason(provider: Provider, verb: str) -> None:
    provider.thing.failure = Unfinished("exited with 1", Outputs({"made": "half"}, {"token": "t"}))
    inputs = wire.encode({"stack": "dev"}, {"key": "k"})
    calls = {
        "create": lambda: provider.stub.Create(provider_pb2.CreateRequest(urn=URN, properties=inputs)),
        "update": lambda: provider.stub.Update(provider_pb2.UpdateRequest(urn=URN, id="dev/thing", news=inputs)),
    }
    with pytest.raises(grpc.RpcError) as raised:
        calls[verb]()
    status = status_pb2.Status.FromString(dict(raised.value.trailing_metadata())["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("dev/thing", ["exited with 1"])
    assert detail.properties == wire.encode({"made": "half"}, {"token": "t"})
    assert detail.inputs == inputs


def test_update_that_was_killed_changes_nothing_more(provider: Provider) -> None:
    provider.killed = True
    for call, request in (
        (provider.stub.Create, provider_pb2.CreateRequest(urn=URN, properties=wire.encode({"stack": "dev"}))),
        (provider.stub.Update, provider_pb2.UpdateRequest(urn=URN, id="i")),
        (provider.stub.Delete, provider_pb2.DeleteRequest(urn=URN, id="i")),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            call(request)
        assert raised.value.details() == "the update was killed"
    assert provider.thing.asked == []


def test_type_that_the_provider_does_not_have_is_refused_by_name(provider: Provider) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        provider.stub.Check(provider_pb2.CheckRequest(urn=URN.replace("Thing", "Other")))
    assert raised.value.details() == "resource type runyard:index:Other: must be one of Thing"


def test_cancellation_reaches_whoever_waits(provider: Provider) -> None:
    provider.stub.Cancel(empty_pb2.Empty())
    assert provider.cancelled

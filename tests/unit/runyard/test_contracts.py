from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard import contracts
from runyard.contracts import (
    ContainerDocument,
    Fallback,
    FilesMount,
    GatewayEndpoints,
    GatewayLoad,
    GatewayPath,
    GatewayService,
    GatewaySnapshot,
    Handling,
    Holdings,
    ImageIdentity,
    Limits,
    MemoryMount,
    OrchestratorStatus,
    PathRoute,
    Probe,
    RevisionDocument,
    RevisionLoad,
    RevisionStatus,
    RolloutOutcome,
    RolloutOutcomes,
    RolloutRequest,
    RouteRequest,
    SecretFile,
    SecretValue,
    ServiceHolding,
    ServiceRequest,
    ServiceStatus,
    SignedRevision,
    TrafficShare,
    UsageAmounts,
    UsageBatch,
    UsageWindow,
    Variable,
    VolumeDocument,
    VolumeMount,
    decode,
    encode,
    encode_differing,
)
from runyard.errors import ContractError

SHARES = (TrafficShare("web-1", 90), TrafficShare("web-2", 10, "new"))
PROBE = Probe(kind="http", port=80, path="/up", headers=(("X-A", "1"),))
SECRET = SecretValue("api", "latest", "0" * 64)
BARE = RevisionDocument("dev", "shop", "web", "web-1", "web-1", "d", "net", "", (ContainerDocument("app", "app:1"),))
WHOLE = ContainerDocument(
    "db",
    "db:1",
    environment=(Variable("A", "b"), Variable("TOKEN", secret=SECRET)),
    memory_mounts=(MemoryMount("/tmp", 64),),
    file_mounts=(FilesMount("/secrets", (SecretFile("token", SECRET, 0o400),)),),
    volume_mounts=(VolumeMount("data", "/data", sub_path="a"),),
    startup_probe=PROBE,
)
DOCUMENT = dataclasses.replace(
    BARE,
    containers=(*BARE.containers, WHOLE),
    init_containers=(ContainerDocument("init", "init:1", environment=(Variable("B", secret=SECRET),)),),
    volumes=(VolumeDocument("data", "persistent", 1024),),
    labels={"team": "a"},
    images={"app": ImageIdentity("sha256:1", "app@sha256:2")},
)
SIGNED = SignedRevision(encode(DOCUMENT), "c2lnbmF0dXJl")
MESSAGES: list[Any] = [
    BARE,
    DOCUMENT,
    ServiceRequest(RouteRequest("shop", "web", ()), RolloutRequest("shop", "web", SHARES), (SIGNED,), {"0": "value"}),
    RolloutOutcomes("e", 3, (RolloutOutcome(1, "shop", "web", "failed", "not ready", ("a",)),)),
    Holdings((ServiceHolding("shop", "web", {"web-1": "d"}, "r", "s", SHARES, True),), {"c": "d"}, "e", ("stranger",)),
    RouteRequest("shop", "web", ("web.localhost",), "internal", 5),
    RouteRequest("shop", "web", (), paths=(PathRoute("*.x", "/api", "/"),), handling=Handling(1, 2, 3, 4, False)),
    RouteRequest("shop", "web", (), fallback=Fallback("other", "page")),
    RouteRequest("shop", "web", (), limits=Limits(1, 2, 3, 4, "X-Api-Key", 5)),
    RolloutRequest("shop", "web", SHARES, 30),
    OrchestratorStatus(
        3,
        True,
        (ServiceStatus("shop", "web", ("h",), (), SHARES),),
        (RevisionStatus("shop", "web", "web-1", 1, 0, reason="x", logs=("a",)),),
    ),
    GatewaySnapshot(
        9,
        {"shop/web": GatewayService(SHARES, ("cart",), "internal", 5)},
        {"web.localhost": "shop/web"},
        {"shop/web-1": GatewayEndpoints(("10.0.0.2:80",), "h2c", 7, 60)},
        {"10.0.0.2": "shop/web"},
        {"*.x": (GatewayPath("/api", "shop/web", "/"),)},
    ),
    GatewayLoad("0123456789abcdef", 7, 90_000, {"shop/web-1": RevisionLoad(1, 2, 30, 4000, 500)}),
    UsageBatch(
        7,
        (
            UsageWindow(
                *("shop", "web", "web-1", "3f", "0" * 64, 1_000, 60_000, 120_000, "usage"),
                UsageAmounts(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, True),
            ),
        ),
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_message_survives_encoding(message: Any) -> None:
    assert decode(type(message), encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_encoding_is_canonical(message: Any) -> None:
    text = encode(message)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert encode(dataclasses.replace(message)) == text


def test_equal_snapshots_encode_alike_whatever_the_order_of_their_maps() -> None:
    one = GatewaySnapshot(1, hosts={"a": "x", "b": "y"})
    other = GatewaySnapshot(1, hosts={"b": "y", "a": "x"})
    assert encode(one) == encode(other)


def test_load_that_lacks_a_sum_is_refused_and_never_read_as_none() -> None:
    whole = encode(GatewayLoad("a", 1, 2, {"shop/web-1": RevisionLoad(0, 0, 3, 4, 5)}))
    with pytest.raises(ContractError) as caught:
        decode(GatewayLoad, whole.replace('"arrivals":3,', ""))
    assert str(caught.value) == "decode GatewayLoad.revisions.shop/web-1: field 'arrivals' is missing"


def test_sums_and_secrets_of_a_document_are_those_of_its_containers() -> None:
    assert (DOCUMENT.cpu_millis, DOCUMENT.memory_bytes) == (2000, 1024**3)
    assert (BARE.secrets, DOCUMENT.secrets) == ((), (SECRET,))


def test_what_is_at_its_default_is_not_hashed() -> None:
    assert encode_differing(RouteRequest("shop", "web", ("a",), limits=Limits())) == (
        '{"hosts":["a"],"service":"web","tenant":"shop"}'
    )
    assert json.loads(encode_differing(DOCUMENT))["containers"][1]["startup_probe"] == {
        "headers": [["X-A", "1"]],
        "kind": "http",
        "path": "/up",
        "port": 80,
    }


def test_value_of_a_secret_is_in_no_printed_message() -> None:
    request = ServiceRequest(RouteRequest("a", "b", ()), RolloutRequest("a", "b", ()), (), {"digest": "canary"})
    assert "canary" not in repr(request)


def test_absent_fields_get_their_defaults() -> None:
    text = '{"tenant":"shop","service":"web","traffic":[{"revision":"web-1","percent":100}]}'
    assert decode(RolloutRequest, text) == RolloutRequest("shop", "web", (TrafficShare("web-1", 100),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "decode RolloutRequest: unknown field 'extra'"),
        ({"tenant": None}, "decode RolloutRequest.tenant: must be of type str, got None"),
        ({"deadline_s": "5"}, "decode RolloutRequest.deadline_s: must be of type int, got '5'"),
        ({"deadline_s": True}, "decode RolloutRequest.deadline_s: must be of type int, got True"),
        ({"deadline_s": 1.5}, "decode RolloutRequest.deadline_s: must be of type int, got 1.5"),
        ({"traffic": {}}, "decode RolloutRequest.traffic: must be a list, got {}"),
        ({"traffic": [7]}, "decode RolloutRequest.traffic[0]: must be an object, got 7"),
        ({"traffic": [{"percent": 1}]}, "decode RolloutRequest.traffic[0]: field 'revision' is missing"),
        ({"version": 2}, "decode RolloutRequest: version: must be 1, got 2"),
    ],
)
def test_field_that_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    value = json.loads(encode(RolloutRequest("shop", "web", SHARES))) | change
    with pytest.raises(ContractError) as caught:
        decode(RolloutRequest, json.dumps(value))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (
            {"kind": "udp"},
            "decode ContainerDocument.startup_probe.kind: must be one of http, tcp, grpc, exec, got 'udp'",
        ),
        (
            {"kind": "http", "headers": [["a"]]},
            "decode ContainerDocument.startup_probe.headers[0]: must be a list of 2, got ['a']",
        ),
    ],
)
def test_probe_that_does_not_fit_is_named(probe: dict[str, Any], message: str) -> None:
    text = json.dumps({"name": "app", "image": "app:1", "startup_probe": probe})
    with pytest.raises(ContractError) as caught:
        decode(ContainerDocument, text)
    assert str(caught.value) == message


def test_map_value_that_does_not_fit_is_named_by_its_key() -> None:
    with pytest.raises(ContractError) as caught:
        decode(GatewaySnapshot, '{"generation":1,"hosts":{"a":1}}')
    assert str(caught.value) == "decode GatewaySnapshot.hosts.a: must be of type str, got 1"


@pytest.mark.parametrize("text", ["", "{", "nope", b"\xff"])
def test_text_that_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ContractError, match=r"^decode RouteRequest: not JSON: "):
        decode(RouteRequest, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_no_json_breaks_the_decoder(value: Any) -> None:
    with pytest.raises(ContractError):
        decode(RolloutRequest, json.dumps(value))


@pytest.mark.parametrize(
    ("together", "before", "cpu_millis", "memory_bytes"),
    [
        (((100, 5), (200, 7)), (), 300, 12),
        (((100, 5), (200, 7)), ((250, 9), (250, 9)), 300, 12),
        (((100, 5),), ((50, 9), (400, 1)), 400, 9),
    ],
    ids=["all_at_once", "small_ones_before", "large_ones_before"],
)
def test_instance_takes_what_runs_together_or_the_largest_that_runs_before(
    together: tuple[tuple[int, int], ...], before: tuple[tuple[int, int], ...], cpu_millis: int, memory_bytes: int
) -> None:
    containers, init_containers = (
        tuple(ContainerDocument(f"c{n}", "i", cpu_millis=cpu, memory_bytes=size) for n, (cpu, size) in enumerate(each))
        for each in (together, before)
    )
    document = dataclasses.replace(BARE, containers=containers, init_containers=init_containers)
    assert (document.cpu_millis, document.memory_bytes) == (cpu_millis, memory_bytes)


def test_package_gives_what_it_names_and_no_more() -> None:
    assert all(getattr(contracts, name) is not None for name in contracts.__all__)
    script = "import sys, runyard.contracts as c; c.Breaker; print([m for m in sys.modules if c.__name__ in m])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded == "['runyard.contracts', 'runyard.contracts.objective', 'runyard.contracts.route']\n"
    with pytest.raises(AttributeError, match=r"^module runyard.contracts has no attribute Nothing$"):
        getattr(contracts, "Nothing")  # noqa: B009 - what is not there by any other name either

"""Which revision answers which host, and who may call whom."""

from __future__ import annotations

import json
from collections import Counter
from http.client import HTTPConnection

import pytest

from runyard.gateway import digest
from tests.harness.client import answer_of
from tests.unit.services.gateway.conftest import MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service

WEB, STOCK, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.9"


@pytest.fixture
def shop(gateway: Gateway, instance: Instance) -> Gateway:
    """Web may call cart; stock may call nothing; another tenant has a cart of its own."""
    gateway.push(
        services={
            "default/web": service(("web-1", 100), uses=("cart", "later")),
            "default/cart": service(("cart-1", 100), ingress="internal"),
            "default/stock": service(("stock-1", 100)),
            "acme/cart": service(("cart-9", 100)),
        },
        hosts={"web.localhost": "default/web", "cart.localhost": "default/cart", "cart.acme.localhost": "acme/cart"},
        endpoints={"default/web-1": endpoints(instance.port), "default/cart-1": endpoints(instance.port)},
        callers={WEB: "default/web", STOCK: "default/stock"},
    )
    return gateway


def test_host_reaches_its_service(shop: Gateway) -> None:
    assert shop.request(host="web.localhost").json()["name"] == "one"


@pytest.mark.parametrize("host", ["WEB.Localhost", "web.localhost:3000", "web.localhost.", "web.localhost.:80"])
def test_host_matches_whatever_its_case_port_or_final_dot(shop: Gateway, host: str) -> None:
    assert shop.request(host=host).status == 200


@pytest.mark.parametrize(
    "host", ["nobody.localhost", "localhost", "127.0.0.1", "web.localhost.evil", "b---web.localhost"]
)
def test_unknown_host_is_404(shop: Gateway, host: str) -> None:
    answer = shop.request(host=host)
    assert (answer.status, answer.kind) == (404, "unknown-host")


@pytest.mark.parametrize("host", ["cart.localhost", "cart.internal", "web.internal"])
def test_internal_service_is_404_at_the_edge(shop: Gateway, host: str) -> None:
    answer = shop.request(host=host)
    assert (answer.status, answer.kind) == (404, "unknown-host")


def test_healthz_answers_for_hosts_that_nobody_serves(shop: Gateway) -> None:
    answer = shop.request(path="/healthz", host="localhost")
    health = {"status": "ok", "generation": 1, "configuration": digest(shop.config)}
    assert (answer.status, answer.json()) == (200, health)


def test_healthz_of_a_service_goes_to_the_service(shop: Gateway) -> None:
    assert shop.request(path="/healthz", host="web.localhost").json()["path"] == "/healthz"


def test_declared_call_reaches_the_service_of_the_callers_tenant(shop: Gateway) -> None:
    sent = dict(shop.request(host="cart.internal", source=WEB).json()["headers"])
    assert (sent["Host"], sent["X-Runyard-Caller"]) == ("cart.internal", "web")


@pytest.mark.parametrize(
    ("source", "host", "kind"),
    [
        (STOCK, "cart.internal", "undeclared-call"),
        (WEB, "stock.internal", "undeclared-call"),
        (WEB, "nobody.internal", "undeclared-call"),
        (WEB, "cart.acme.internal", "undeclared-call"),
        (WEB, "web.localhost", "public-host"),
        (STRANGER, "cart.internal", "unknown-caller"),
        (STRANGER, "localhost", "unknown-caller"),
    ],
)
def test_call_that_is_not_declared_is_403(shop: Gateway, source: str, host: str, kind: str) -> None:
    answer = shop.request(host=host, source=source)
    assert (answer.status, answer.kind) == (403, kind)


def test_instance_is_refused_at_the_edge_whatever_it_asks_for(shop: Gateway) -> None:
    for host in ("web.localhost", "cart.acme.localhost", "nobody.localhost"):
        connection = HTTPConnection("127.0.0.1", shop.edge_port, 20, (STOCK, 0))
        connection.request("GET", "/", headers={"Host": host})
        answer = answer_of(connection.getresponse())
        connection.close()
        assert (answer.status, answer.kind) == (403, "public-host")


def test_caller_that_is_gone_may_call_nothing(shop: Gateway) -> None:
    assert shop.request(host="cart.internal", source=WEB).status == 200
    shop.push(callers={})
    assert shop.request(host="cart.internal", source=WEB).kind == "unknown-caller"


def test_host_that_is_gone_is_404(shop: Gateway) -> None:
    assert shop.request(host="web.localhost").status == 200
    shop.push(hosts={})
    assert shop.request(host="web.localhost").status == 404


def test_tag_reaches_its_revision_even_with_no_share(gateway: Gateway, make_instance: MakeInstance) -> None:
    old, new = make_instance("old"), make_instance("new")
    gateway.push(
        services={"default/web": service(("web-1", 100), ("web-2", 0, "next"))},
        hosts={"web.localhost": "default/web"},
        endpoints={"default/web-1": endpoints(old.port), "default/web-2": endpoints(new.port)},
    )
    names = [gateway.request(host=host).json()["name"] for host in ("web.localhost", "next---web.localhost")]
    assert names == ["old", "new"]


def test_shares_hold_within_a_point_over_ten_thousand_requests(gateway: Gateway, make_instance: MakeInstance) -> None:
    shares = {"a": 70, "b": 20, "c": 10}
    ports = {name: make_instance(name).port for name in shares}
    gateway.push(
        services={"default/web": service(*(("web-" + name, share) for name, share in shares.items()))},
        hosts={"web.localhost": "default/web"},
        endpoints={f"default/web-{name}": endpoints(port) for name, port in ports.items()},
    )
    counts = count_names(gateway, "web.localhost", 10_000)
    assert {name: abs(counts[name] / 100 - share) < 1 for name, share in shares.items()} == dict.fromkeys(shares, True)


def test_instances_of_a_revision_share_the_requests(gateway: Gateway, make_instance: MakeInstance) -> None:
    gateway.serve(*(make_instance(name).port for name in "abc"))
    counts = count_names(gateway, "hello.localhost", 300)
    assert min(counts[name] for name in "abc") > 30


def count_names(gateway: Gateway, host: str, requests: int) -> Counter[str]:
    """Count which instance answered, over two connections that may well be two workers'."""
    counts: Counter[str] = Counter()
    connections = [HTTPConnection("127.0.0.1", gateway.edge_port) for _ in range(2)]
    for number in range(requests):
        connection = connections[number % 2]
        connection.request("GET", "/", headers={"Host": host})
        counts[json.loads(connection.getresponse().read())["name"]] += 1
    for connection in connections:
        connection.close()
    return counts

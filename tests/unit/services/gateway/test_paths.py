"""Which service answers which part of which host, and what the path becomes on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.contracts import GatewayPath, GatewaySnapshot, encode
from runyard.manifest.routes import parse_routes
from tests.unit.services.gateway.conftest import MakeInstance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service


@pytest.fixture
def shop(gateway: Gateway, make_instance: MakeInstance) -> Gateway:
    """One host of three services, a wildcard, a host with parts alone, and nobody for the rest."""
    names = ("web", "api", "admin")
    gateway.push(
        services={
            **{f"default/{name}": service((f"{name}-1", 100, "next")) for name in names},
            "default/hidden": service(("api-1", 100), ingress="internal"),
        },
        hosts={"shop.example.com": "default/web", "*.example.com": "default/admin", "web.localhost": "default/web"},
        paths={
            "shop.example.com": (
                GatewayPath("/api", "default/api"),
                GatewayPath("/api/admin", "default/admin", "/"),
                GatewayPath("/old/shop", "default/api", "/v2/shop"),
                GatewayPath("/hidden", "default/hidden"),
            ),
            "*.cdn.example.com": (GatewayPath("/", "default/api", "/files"),),
            "parts.example.com": (GatewayPath("/api", "default/api", "/"),),
        },
        endpoints={f"default/{name}-1": endpoints(make_instance(name).port) for name in names},
    )
    return gateway


def reach(gateway: Gateway, host: str, path: str) -> tuple[str, str]:
    """Give the name of the instance that answers, and the path that it saw."""
    answer = gateway.request(path=path, host=host)
    assert answer.status == 200, answer.body
    echo: dict[str, Any] = answer.json()
    return echo["name"], echo["path"]


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/", ("web", "/")),
        ("/api", ("api", "/api")),
        ("/api/", ("api", "/api/")),
        ("/api/x?q=/api/admin", ("api", "/api/x?q=/api/admin")),
        ("/apix", ("web", "/apix")),
        ("/API", ("web", "/API")),
        ("/x/api", ("web", "/x/api")),
        ("/api/admin", ("admin", "/")),
        ("/api/admin/", ("admin", "/")),
        ("/api/admin?a=b&c", ("admin", "/?a=b&c")),
        ("/api/admin/users/7?a=%2e%2e/", ("admin", "/users/7?a=%2e%2e/")),
        ("/api/administrator", ("api", "/api/administrator")),
        ("/old/shop", ("api", "/v2/shop")),
        ("/old/shop/a%20b%2Fc", ("api", "/v2/shop/a%20b%2Fc")),
        ("/%61pi/x", ("api", "/%61pi/x")),
        ("/%61pi/%61dmin/x", ("admin", "/x")),
        ("/api%2Fadmin", ("web", "/api%2Fadmin")),
        ("//api/x", ("web", "//api/x")),
        ("/api/admin//evil.example.com/x", ("admin", "/evil.example.com/x")),
        ("/api/admin/%2Fevil.example.com", ("admin", "/%2Fevil.example.com")),
        ("/api/admin/.well-known/x", ("admin", "/.well-known/x")),
        ("/api/...", ("api", "/api/...")),
        ("/api/a..b", ("api", "/api/a..b")),
        ("/api/%252e%252e/x", ("api", "/api/%252e%252e/x")),
    ],
)
def test_longest_path_decides_and_is_rewritten(shop: Gateway, path: str, reached: tuple[str, str]) -> None:
    assert reach(shop, "shop.example.com", path) == reached


@pytest.mark.parametrize(
    "path",
    [
        "/api/../x", "/api/./x", "/api/..", "/api/%2e%2e/x", "/api/.%2E", "/api/..;a=b/x", "/api/%2e%2e%3bx/y",
        "/api/admin/..%2fx", "/api/admin/..%5cx", "/api/admin\\..\\x", "/api/%5c..", "/api/%00x", "/api#x",
        "/%61pi/%2e%2e", "/api/admin/%2e", "/..%2f",
    ],
)  # fmt: skip
def test_path_that_climbs_or_reads_two_ways_is_400_on_a_host_with_parts(shop: Gateway, path: str) -> None:
    answer = shop.raw(f"GET {path} HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n").decode()
    assert answer.startswith("HTTP/1.1 400"), answer
    assert "application/problem+json" in answer


def test_path_of_a_host_without_parts_arrives_as_it_is(shop: Gateway) -> None:
    for path in ("/api/%2e%2e/x", "//x", "/a/../b", "/%61"):
        assert reach(shop, "web.localhost", path) == ("web", path)


def test_instance_is_told_what_was_cut_off(shop: Gateway) -> None:
    headers = dict(shop.request(path="/api/admin/x", host="shop.example.com").json()["headers"])
    assert (headers["X-Forwarded-Prefix"], headers["Host"]) == ("/api/admin", "shop.example.com")
    forged = shop.request(path="/api", host="shop.example.com", headers={"X-Forwarded-Prefix": "/evil"})
    assert "X-Forwarded-Prefix" not in dict(forged.json()["headers"])


def test_rewritten_request_keeps_its_body(shop: Gateway) -> None:
    answer = shop.request("POST", "/api/admin/x", host="shop.example.com", body=b"abc")
    assert (answer.json()["path"], answer.json()["body"]) == ("/x", "abc")


def test_rewritten_request_is_rewritten_again_after_it_was_held(shop: Gateway, make_instance: MakeInstance) -> None:
    places = shop.snapshot.endpoints
    shop.push(endpoints={**places, "default/admin-1": endpoints()})
    with shop.connect() as connection:
        connection.request("GET", "/api/admin/x", headers={"Host": "shop.example.com"})
        shop.push(endpoints=places)
        assert b'"path": "/x"' in connection.getresponse().read()


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("other.example.com", ("admin", "/x")),
        ("OTHER.example.com.:80", ("admin", "/x")),
        ("a.cdn.example.com", ("api", "/files/x")),
        ("next---shop.example.com", ("web", "/x")),
        ("next---web.localhost", ("web", "/x")),
    ],
)
def test_wildcard_stands_for_one_label_and_yields_to_what_is_exact(
    shop: Gateway, host: str, reached: tuple[str, str]
) -> None:
    assert reach(shop, host, "/x") == reached


@pytest.mark.parametrize("host", ["example.com", "a.b.other.example.com", "*.example.com", "*", "cdn.example.org"])
def test_host_that_no_pattern_matches_is_404(shop: Gateway, host: str) -> None:
    answer = shop.request(host=host)
    assert (answer.status, answer.kind) == (404, "unknown-host")


@pytest.mark.parametrize(
    ("host", "path"), [("parts.example.com", "/"), ("parts.example.com", "/apix"), ("shop.example.com", "/hidden/x")]
)
def test_part_that_nobody_answers_is_404_whoever_answers_the_rest(shop: Gateway, host: str, path: str) -> None:
    answer = shop.request(path=path, host=host)
    assert (answer.status, answer.kind) == (404, "unknown-path")


def test_default_backend_answers_unknown_hosts_but_not_the_gateways_health(shop: Gateway) -> None:
    shop.push(hosts={**shop.snapshot.hosts, "*": "default/web"})
    assert reach(shop, "nobody.localhost", "/x") == ("web", "/x")
    assert shop.request(path="/healthz", host="nobody.localhost").json()["status"] == "ok"
    assert reach(shop, "shop.example.com", "/healthz") == ("web", "/healthz")
    shop.push(hosts={host: key for host, key in shop.snapshot.hosts.items() if host != "*"})
    assert shop.request(host="nobody.localhost").kind == "unknown-host"


@pytest.mark.parametrize("everybody", ["*", "*.localhost"])
def test_nobody_answers_in_the_place_of_a_service_that_is_not_public(shop: Gateway, everybody: str) -> None:
    shop.push(hosts={**shop.snapshot.hosts, "hidden.localhost": "default/hidden", everybody: "default/web"})
    assert reach(shop, "nobody.localhost", "/x") == ("web", "/x")
    for host in ("hidden.localhost", "next---hidden.localhost"):
        assert shop.request(host=host).kind == "unknown-host", host


def test_instances_reach_services_by_name_whatever_the_routes_say(shop: Gateway) -> None:
    services = {**shop.snapshot.services, "default/caller": service(uses=("admin",))}
    shop.push(services=services, callers={"127.0.0.2": "default/caller"})
    answer = shop.request(path="/api/admin/x", host="admin.internal", source="127.0.0.2")
    assert answer.json()["path"] == "/api/admin/x"


LABEL = r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?"
PATH = r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,10}){1,4}"


def test_what_the_manifests_grammar_takes_the_gateway_takes_too(gateway: Gateway) -> None:
    @settings(max_examples=20, database=None)
    @given(st.lists(st.from_regex(rf"(\*\.)?{LABEL}(\.{LABEL}){{0,3}}{PATH} -> {PATH}", fullmatch=True), min_size=20))
    def agree(texts: list[str]) -> None:
        parts = [part for text in texts for part in parse_routes(text)]
        paths = {part.host: (GatewayPath(part.path, "default/a", part.rewrite),) for part in parts}
        generation = gateway.admin("GET", "/v1/snapshot").json()["generation"] + 1
        answer = gateway.admin("PUT", "/v1/snapshot", encode(GatewaySnapshot(generation, paths=paths)))
        assert answer.status == 200, answer.body

    agree()


def test_routes_change_without_a_reload(shop: Gateway) -> None:
    assert reach(shop, "shop.example.com", "/api") == ("api", "/api")
    shop.push(paths={"shop.example.com": (GatewayPath("/api", "default/admin", "/v3"),)})
    assert reach(shop, "shop.example.com", "/api") == ("admin", "/v3")
    shop.push(paths={})
    assert reach(shop, "shop.example.com", "/api") == ("web", "/api")

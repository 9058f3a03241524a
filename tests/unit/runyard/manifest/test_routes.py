"""The grammar of routes: what it takes, and that nothing else passes."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runyard.contracts import PathRoute
from runyard.manifest.routes import is_whole_host, parse_routes, render_place

HOSTILE = "\"'\\;{}$#\n\r\t\x00 %()[]|&`<>*?~:@,->" + string.ascii_letters + string.digits + "/._-\u2028é"
# What these texts may consist of once they are read; the gateway holds them against the same.
SAFE_HOST = re.compile(r"(\*\.)?[a-z0-9.-]+")
SAFE_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        ("shop.example.com", [PathRoute("shop.example.com", "/")]),
        ("*.shop.example.com", [PathRoute("*.shop.example.com", "/")]),
        ("nas", [PathRoute("nas", "/")]),
        ("shop.example.com/", [PathRoute("shop.example.com", "/")]),
        ("shop.example.com/api", [PathRoute("shop.example.com", "/api")]),
        ("shop.example.com/api -> /", [PathRoute("shop.example.com", "/api", "/")]),
        ("shop.example.com->/v1.2/~a", [PathRoute("shop.example.com", "/", "/v1.2/~a")]),
        ("a.de/x -> /x", [PathRoute("a.de", "/x")]),
        (" a.de ,\n b.de/x ", [PathRoute("a.de", "/"), PathRoute("b.de", "/x")]),
        ("a.de/.well-known/x, a.de/...", [PathRoute("a.de", "/.well-known/x"), PathRoute("a.de", "/...")]),
    ],
)
def test_routes_are_read_in_the_order_written(text: str, routes: list[PathRoute]) -> None:
    assert parse_routes(text) == tuple(routes)


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "a.de,", "/api", "http://a.de", "a.de:80", "a_b.de", "-a.de", "a-.de", "a..de", ".de", "a.de.",
        "*", "*a.de", "a.*.de", "*.*.de", "1.2.3.4", "[::1]", "A.de", "é.de", "a" * 64 + ".de",
        "a.de/x/", "a.de//x", "a.de/x y", "a.de/x?y", "a.de/x#y", "a.de/%61", "a.de/x;y", "a.de/..", "a.de/./x",
        "a.de/x -> y", "a.de/x -> ", "a.de/x -> //y", "a.de/x -> /y -> /z", "a.de/x -> /..", "a.de/x -> http://b.de/",
        "a.de/x\x00", "a.de/$x", "a.de/{x}", 'a.de/"',
    ],
)  # fmt: skip
def test_route_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        parse_routes(text)


def test_bounds_are_told_with_what_was_seen() -> None:
    long_host = ".".join(["a" * 50] * 6)
    for text, message in (
        (",".join(f"a{number}.de" for number in range(65)), "must be at most 64 routes, got 65"),
        (long_host, "must have hosts of at most 253 characters, got 305"),
        ("a.de/" + "x" * 256, "must have paths of at most 256 characters, got 257"),
        ("a.de/x, a.de/x -> /", "must name each place once, got a.de/x twice"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            parse_routes(text)


@settings(max_examples=250)
# 250 times 40 are 10,000 hostile values.
@given(st.lists(st.text(HOSTILE, max_size=40), min_size=40, max_size=40))
@example(["a.de/x -> /y\r\nHost: evil", "a.de/x\n", "a.de/\u2028"])
def test_hostile_route_is_refused_or_harmless(texts: list[str]) -> None:
    for text in texts:
        for candidate in (text, f"a.de/{text}", f"a.de/x -> /{text}", f"{text}.de"):
            try:
                routes = parse_routes(candidate)
            except ValueError:
                continue
            for route in routes:
                assert SAFE_HOST.fullmatch(route.host), candidate
                for path in (route.path, route.rewrite or "/"):
                    assert SAFE_PATH.fullmatch(path), candidate
                    assert "//" not in path, candidate
                    assert not {"..", "."} & set(path.split("/")), candidate


def test_place_is_rendered_as_the_manifest_names_it() -> None:
    whole, part = parse_routes("a.de, b.de/x -> /")
    assert [render_place(each) for each in (whole, part)] == ["a.de", "b.de/x"]
    assert [is_whole_host(each) for each in (whole, part)] == [True, False]
    assert not is_whole_host(parse_routes("a.de -> /v1")[0])

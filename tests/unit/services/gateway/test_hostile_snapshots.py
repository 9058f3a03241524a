"""Hostile values in every text of a snapshot: the gateway takes exactly what the grammars allow, and nothing else."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.harness.client import UnixConnection, answer_of
from tests.unit.services.gateway.nginx import Gateway

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# What nginx, Lua, JSON, a log line or a header would read as more than text; letters, so that some values are good.
HOSTILE = "\"'\\;{}$#\n\r\t\x00 %()[]|&`<>*?~:/._-@,=\u2028é" + string.ascii_lowercase + "09AZ"
hostile = st.text(HOSTILE, max_size=20) | st.text(max_size=12) | st.from_regex(r"[a-z0-9.:/-]{1,40}", fullmatch=True)
rooted = hostile.map(lambda text: "/" + text)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


def is_label(text: str) -> bool:
    return LABEL.fullmatch(text) is not None


def is_key(text: str) -> bool:
    parts = text.split("/")
    return len(parts) == 2 and all(map(is_label, parts))


def is_host(text: str) -> bool:
    return len(text) <= 253 and all(map(is_label, text.split(".")))


def is_pattern(text: str) -> bool:
    """A host, a star before a host, or a star alone."""
    return text == "*" or is_host(text.removeprefix("*."))


def looks_like_ip(text: str) -> bool:
    """What the gateway takes for an address: no character beyond an address's own; the kernel judges the rest."""
    plain = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return len(text) <= 45 and re.fullmatch(r"[0-9]+(\.[0-9]+){3}|[0-9a-f:]*:[0-9a-f:.]*", plain, re.ASCII) is not None


def is_address(text: str) -> bool:
    where, _, port = text.rpartition(":")
    return re.fullmatch("[1-9][0-9]*", port) is not None and int(port) <= 65535 and looks_like_ip(where)


def is_path(text: str) -> bool:
    """Segments of unreserved characters, none of which climbs."""
    fits = len(text) <= 256 and re.fullmatch(r"(/[A-Za-z0-9._~-]+)+|/", text) is not None
    return fits and not {".", ".."} & set(text.split("/"))


def is_header(text: str) -> bool:
    return len(text) <= 63 and re.fullmatch(r"([A-Za-z][A-Za-z0-9-]*)?", text) is not None


def is_page(text: str) -> bool:
    return len(text.encode()) <= 8192 and re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text) is None


def path(host: str = "a.localhost", **fields: str) -> dict[str, Any]:
    return {"paths": {host: [{"path": "/a", "service": "default/a", **fields}]}}


SERVICE = {"traffic": [{"revision": "r", "percent": 100}]}
# Each place of a text: its grammar, and a snapshot with the text in that place.
PLACES: dict[str, tuple[Callable[[str], bool], Callable[[str], dict[str, Any]]]] = {
    "key of a service": (is_key, lambda text: {"services": {text: SERVICE}}),
    "key of endpoints": (is_key, lambda text: {"endpoints": {text: {"addresses": []}}}),
    "host": (is_pattern, lambda text: {"hosts": {text: "default/a"}}),
    "service of a host": (is_key, lambda text: {"hosts": {"a.localhost": text}}),
    "caller": (looks_like_ip, lambda text: {"callers": {text: "default/a"}}),
    "service of a caller": (is_key, lambda text: {"callers": {"10.0.0.1": text}}),
    "address": (is_address, lambda text: {"endpoints": {"default/r": {"addresses": [text]}}}),
    "protocol": (
        lambda text: text in ("http1", "h2c"),
        lambda text: {"endpoints": {"default/r": {"protocol": text}}},
    ),
    "revision of a share": (
        is_label,
        lambda text: {"services": {"default/a": {"traffic": [{"revision": text, "percent": 1}]}}},
    ),
    "tag of a share": (
        lambda text: text == "" or is_label(text),
        lambda text: {"services": {"default/a": {"traffic": [{"revision": "r", "percent": 1, "tag": text}]}}},
    ),
    "declared callee": (is_label, lambda text: {"services": {"default/a": {"uses": [text]}}}),
    "ingress": (
        lambda text: text in ("all", "internal", "internal-and-cloud-load-balancing"),
        lambda text: {"services": {"default/a": {"ingress": text}}},
    ),
    "host of a path": (is_pattern, lambda text: path(text)),
    "path": (is_path, lambda text: path(path=text)),
    "service of a path": (is_key, lambda text: path(service=text)),
    "rewriting": (lambda text: text == "" or is_path(text), lambda text: path(rewrite=text)),
    "header of a client": (is_header, lambda text: {"services": {"default/a": {"limits": {"client_header": text}}}}),
    "fallback": (
        lambda text: text == "" or is_label(text),
        lambda text: {"services": {"default/a": {"fallback": {"service": text}}}},
    ),
    "page": (is_page, lambda text: {"services": {"default/a": {"fallback": {"page": text}}}}),
    "unknown field": (lambda text: False, lambda text: {text + "\x00": 1}),
}


class Admin:
    """One kept connection to the admin socket: one for each of thousands of values would take most of the time."""

    def __init__(self, gateway: Gateway) -> None:
        self.connection = UnixConnection(Path(gateway.config.admin_socket))
        self.generation = 0

    def put(self, sections: dict[str, Any]) -> tuple[int, Any]:
        return self._send("PUT", {"generation": self.generation + 1, **sections})

    def amend(self, sections: dict[str, Any]) -> tuple[int, Any]:
        return self._send("PATCH", {"base": self.generation, "generation": self.generation + 1, **sections})

    def _send(self, method: str, message: dict[str, Any]) -> tuple[int, Any]:
        self.connection.request(method, "/v1/snapshot", json.dumps(message).encode())
        answer = answer_of(self.connection.getresponse())
        return answer.status, answer.json()


@pytest.fixture
def admin(gateway: Gateway) -> Iterator[Admin]:
    found = Admin(gateway)
    yield found
    found.connection.close()


@pytest.mark.slow
# 500 times 20 are the 10,000 hostile values.
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PLACES)), st.lists(hostile | rooted | labels, min_size=20, max_size=20))
@example("host", ["a.localhost\n", "a..b", "-a", "a-", "a" * 64, "a.\x00", "A", "a" * 63 + ".b", "*.a", "é"])
@example("key of a service", ["a/b/c", "/a", "a/", "a", "default/a\r\nx: y", "../a", 'default/"a'])
@example(
    "address",
    ["10.0.0.1:80;", "10.0.0.1:0", "10.0.0.1:080", "10.0.0.1:65536", "unix:/x:1", "[::1]:80", "10.0.0.1:80\n"],
)
@example("caller", ["10.0.0.1", "10.0.0.1 ", "::1", "10.0.0.1\n", "10.0.0.1%eth0", "localhost"])
@example("path", ["/", "/a", "/a/", "//", "/a//b", "/.", "/a/..", "/..a", "/a\n", "/%2e", "/$a", "/" + "a" * 256, "/é"])
@example("rewriting", ["", "/", "/v2 HTTP/1.1\r\nX: y", "/a?b", "/a#", "/..", "/a;b"])
@example("header of a client", ["X-Api-Key", "X_Api", "x:", "1a", "-a", "a" * 64, "a\r\n", "é"])
@example("page", ["<h1>é</h1>\n\t", "a\r\n", "\x00", "\x7f", "é" * 4096, "é" * 4096 + "a", "\u2028"])
def test_only_what_the_grammar_allows_is_put_in_force(admin: Admin, place: str, values: list[str]) -> None:
    grammar, snapshot = PLACES[place]
    for value in values:
        status, answer = admin.put(snapshot(value))
        if grammar(value):
            assert (status, answer) == (200, {"generation": admin.generation + 1}), value
            admin.generation += 1
        else:
            assert (status, answer["type"]) == (400, "urn:runyard:problem:shape"), value


@pytest.mark.slow
# Fewer: it is the same checks that hold them, and this is to see that a delta goes through all of them.
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PLACES)), st.lists(hostile | rooted | labels, min_size=20, max_size=20))
def test_only_what_the_grammar_allows_is_amended(admin: Admin, place: str, values: list[str]) -> None:
    grammar, sections = PLACES[place]
    if admin.generation == 0:
        assert admin.put({})[0] == 200
        admin.generation = 1
    for value in values:
        status, answer = admin.amend(sections(value))
        if grammar(value):
            assert (status, answer) == (200, {"generation": admin.generation + 1}), value
            admin.generation += 1
        else:
            assert (status, answer["type"]) == (400, "urn:runyard:problem:shape"), value


# What may be removed of each map; the names of what is there are no others.
REMOVALS: dict[str, Callable[[str], bool]] = {
    "services": is_key,
    "hosts": is_pattern,
    "endpoints": is_key,
    "callers": looks_like_ip,
    "paths": is_pattern,
}


@pytest.mark.slow
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(REMOVALS)), st.lists(hostile | rooted | labels, min_size=20, max_size=20))
@example("callers", ["epoch", "generation", "digest", "undo|1", "affinity"])
@example("hosts", ["a.localhost\n", "*.", "undo|1", ":", "default/a"])
def test_hostile_name_removes_nothing(admin: Admin, section: str, values: list[str]) -> None:
    if admin.generation == 0:
        assert admin.put({"hosts": {"kept.localhost": "default/a"}})[0] == 200
        admin.generation = 1
    for value in values:
        status, answer = admin.amend({"removed": {section: [value]}})
        kind = "base" if REMOVALS[section](value) else "shape"
        assert (status, answer["type"]) == (409 if kind == "base" else 400, f"urn:runyard:problem:{kind}"), value
        assert answer["generation"] == 1

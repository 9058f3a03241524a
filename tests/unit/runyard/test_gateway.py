"""The rendered nginx.conf: what it says, and that no value can make it say more."""

from __future__ import annotations

import functools
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runyard import names
from runyard.errors import UsageError
from runyard.gateway import GatewayConfig, Listener, check, quote, render
from tests.unit.runyard.rendered import hostile_text, parse, walk

LISTENERS = (Listener("edge", "127.0.0.1:3000"), Listener("internal", "172.30.0.1:80"))
CONFIG = GatewayConfig(listeners=LISTENERS)
# By their types, so that a field that is added is tried as well.
TEXTS = [each.name for each in fields(GatewayConfig) if each.type == "str"]
NUMBERS = [each.name for each in fields(GatewayConfig) if each.type in ("int", "int | None")]
# Letters and marks of which neither nginx nor Lua makes more than one word.
WORD = re.compile(r"[A-Za-z0-9._/:-]+")
FLAGS = [each.name for each in fields(GatewayConfig) if each.type == "bool"]


def arguments(tree: list[dict[str, Any]], name: str) -> list[list[str]]:
    return [args for path, args in walk(tree) if path == name]


def skeleton(tree: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Give the names of all directives and their numbers of arguments, which no value may change."""
    return [(path, len(args)) for path, args in walk(tree)]


def test_defaults_are_what_the_contract_says(tmp_path: Path) -> None:
    tree = parse(render(GatewayConfig()), tmp_path)
    assert arguments(tree, "/http/server/listen") == [
        ["127.0.0.1:3000", "default_server", "backlog=4096"],
        [f"unix:{names.GATEWAY_ADMIN_SOCKET}"],
        [f"unix:{names.REQUESTS_DIRECTORY}/metrics.sock"],
    ]
    assert GatewayConfig().wake_socket == names.GATEWAY_WAKE_SOCKET
    assert f'wake_socket = "{names.GATEWAY_WAKE_SOCKET}"' in render(GatewayConfig())
    assert arguments(tree, "/user") == [["www-data"]]
    assert arguments(tree, "/http/client_max_body_size") == [["33554432"]]
    assert arguments(tree, "/worker_processes") == [["auto"]]


def test_each_listener_is_one_server(tmp_path: Path) -> None:
    tree = parse(render(CONFIG), tmp_path)
    listens = arguments(tree, "/http/server/listen")
    assert [each[0] for each in listens] == [
        *(each.address for each in LISTENERS),
        f"unix:{names.GATEWAY_ADMIN_SOCKET}",
        f"unix:{names.REQUESTS_DIRECTORY}/metrics.sock",
    ]
    kinds = [args[1] for args in arguments(tree, "/http/server/set") if args[0] == "$listener"]
    assert kinds == ["edge", "internal"]


def test_listener_for_http2_says_so(tmp_path: Path) -> None:
    listeners = (LISTENERS[0], Listener("edge", "127.0.0.1:3080", http2=True))
    listens = arguments(parse(render(replace(CONFIG, listeners=listeners)), tmp_path), "/http/server/listen")
    assert [each[-1] for each in listens[:2]] == ["backlog=4096", "http2"]


def test_instances_are_told_the_same_over_either_protocol(tmp_path: Path) -> None:
    tree = parse(render(CONFIG), tmp_path)
    proxy, grpc = (arguments(tree, f"/http/server/{module}_set_header") for module in ("proxy", "grpc"))
    # These two are HTTP/1.1's own; nginx never sends them over HTTP/2.
    assert [each for each in proxy if each[0] not in ("Connection", "Upgrade")] == grpc


def test_address_family_decides_how_the_peer_is_written(tmp_path: Path) -> None:
    listeners = (Listener("edge", "127.0.0.1:1"), Listener("edge", "[::1]:1"))
    tree = parse(render(replace(CONFIG, listeners=listeners)), tmp_path)
    written = [args[1] for args in arguments(tree, "/http/server/proxy_set_header") if args[0] == "Forwarded"]
    rest = ';host="$http_host";proto=$scheme'
    assert written == [f'for="$remote_addr"{rest}', f'for="[$remote_addr]"{rest}']


def test_tls_is_on_the_listeners_that_say_so_and_on_no_other(tmp_path: Path) -> None:
    listeners = (*LISTENERS, Listener("edge", "127.0.0.1:3443", tls=True))
    config = replace(CONFIG, listeners=listeners, https_port=3443, hsts_s=60, acme=True)
    tree = parse(render(config), tmp_path)
    assert [args[3:] for args in arguments(tree, "/http/server/listen")[:3]] == [[], [], ["ssl", "http2"]]
    assert arguments(tree, "/http/server/ssl_protocols") == [["TLSv1.2", "TLSv1.3"]]
    edge, internal, tls = [each["block"] for each in tree[-1]["block"] if each["directive"] == "server"][:3]
    said = ["Strict-Transport-Security", "max-age=60", "always"]
    assert [said in arguments(each, "/add_header") for each in (edge, internal, tls)] == [False, False, True]
    lua = "/location/content_by_lua_block"
    redirects = [[" runyard.redirect() "] in arguments(each, lua) for each in (edge, internal, tls)]
    challenges = [[" runyard.challenge() "] in arguments(each, lua) for each in (edge, internal, tls)]
    assert redirects == challenges == [True, False, False]


@pytest.mark.parametrize("tls", [1, None, "ssl; daemon on"])
def test_tls_is_a_truth_value(tls: object) -> None:
    with pytest.raises(UsageError, match=r"^gateway: listeners\[0\]\.tls: must be true or false, got "):
        check(replace(CONFIG, listeners=(Listener("edge", "127.0.0.1:1", tls=tls),)))  # type: ignore[arg-type]


def test_callers_are_named_by_tokens_inside_alone_and_only_where_that_is_asked(tmp_path: Path) -> None:
    for asked, token in ((False, ""), (True, "$caller_token")):
        tree = parse(render(replace(CONFIG, caller_identity=asked)), tmp_path)
        servers = [each["block"] for each in tree[-1]["block"] if each["directive"] == "server"][:2]
        sent = [dict(arguments(each, "/proxy_set_header"))["X-Runyard-Caller-Token"] for each in servers]
        assert sent == ["", token]
        zones = [each[0] for each in arguments(tree, "/http/lua_shared_dict")]
        assert ("caller_identity" in zones) is asked


def test_times_and_sizes_reach_their_directives(tmp_path: Path) -> None:
    config = replace(CONFIG, connect_timeout_ms=1500, instance_idle_s=7, client_idle_s=8, max_body_bytes=9, workers=3)
    tree = parse(render(config), tmp_path)
    assert arguments(tree, "/http/proxy_connect_timeout") == [["1500ms"]]
    assert {tuple(each) for each in arguments(tree, "/http/upstream/keepalive_timeout")} == {("7s",)}
    assert arguments(tree, "/http/grpc_connect_timeout") == [["1500ms"]]
    assert arguments(tree, "/http/keepalive_timeout") == [["8s"]]
    assert arguments(tree, "/http/client_max_body_size") == [["9"]]
    assert arguments(tree, "/worker_processes") == [["3"]]


def test_settings_reach_lua(tmp_path: Path) -> None:
    tree = parse(render(replace(CONFIG, hold_timeout_ms=2500, directory="/srv/gateway")), tmp_path)
    [[lua]] = arguments(tree, "/http/init_by_lua_block")
    assert 'state_file = "/srv/gateway/state/snapshot.json",' in lua
    assert "hold_timeout_s = 2.5," in lua


def test_requests_are_logged_and_metrics_told_where_readers_have_their_volume(tmp_path: Path) -> None:
    tree = parse(render(replace(CONFIG, requests_directory="/srv/requests")), tmp_path)
    assert arguments(tree, "/http/access_log") == [["/srv/requests/requests.log", "requests", "buffer=64k", "flush=1s"]]
    assert ["unix:/srv/requests/metrics.sock"] in arguments(tree, "/http/server/listen")


def test_same_configuration_renders_the_same_text() -> None:
    assert render(CONFIG) == render(replace(CONFIG))


def test_values_that_were_refused_say_where_rule_and_value() -> None:
    with pytest.raises(UsageError) as caught:
        render(replace(CONFIG, user="www-data; daemon on"))
    assert str(caught.value) == "gateway: user: must be a user name, got 'www-data; daemon on'"
    with pytest.raises(UsageError) as caught:
        render(replace(CONFIG, max_body_bytes=-1))
    assert str(caught.value) == "gateway: max_body_bytes: must be a whole number from 0 to 1099511627776, got -1"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, 2**63, True, 1.5, "1", "1; daemon on", None])
def test_number_that_is_none_or_out_of_range_is_refused(name: str, value: object) -> None:
    if name in ("workers", "https_port") and value is None:
        check(replace(CONFIG, **{name: None}))
        return
    with pytest.raises(UsageError, match=rf"^gateway: {name}: must be a whole number from \d+ to \d+, got "):
        check(replace(CONFIG, **{name: value}))


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", [0, 1, None, "true", "on; daemon on"])
def test_flag_that_is_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"^gateway: {name}: must be true or false, got "):
        check(replace(CONFIG, **{name: value}))


@pytest.mark.parametrize(
    "value", ["", "relative", "/", "/a//b", "/a/", "/a/../b", "/a/.b", "/$a", "/a b", "/a\n", "/é", None]
)
@pytest.mark.parametrize("name", [name for name in TEXTS if name != "user"])
def test_path_outside_the_grammar_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^gateway: {name}: must be an absolute path"):
        check(replace(CONFIG, **{name: value}))


@pytest.mark.parametrize(
    "address",
    [
        "", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:08", "127.0.0.1:80 ssl", "127.1:80",
        "localhost:80", "*:80", ":80", "::1:80", "[::1]", "[fe80::1%eth0]:80", "[::1%$x]:80", "[0:0::1]:80",
        "127.0.0.1:8\n",
        "127.0.0.1:٣", None,
    ],
)  # fmt: skip
def test_address_outside_the_grammar_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"^gateway: listeners\[0\]\.address: must be address:port"):
        check(replace(CONFIG, listeners=(Listener("edge", address),)))


def test_listeners_are_there_differ_and_are_of_a_known_kind() -> None:
    with pytest.raises(UsageError, match="at least one listener"):
        check(replace(CONFIG, listeners=()))
    with pytest.raises(UsageError, match=r"must have different addresses, got '127\.0\.0\.1:3000' twice"):
        check(replace(CONFIG, listeners=(LISTENERS[0], replace(LISTENERS[0], kind="internal"))))
    with pytest.raises(UsageError, match=r"listeners\[0\]\.kind: must be edge or internal, got 'other'"):
        check(replace(CONFIG, listeners=(Listener("other", "127.0.0.1:1"),)))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a$b", "a{b", "a\nb", "a b", "a#b", "a'b", ""])
def test_quoting_refuses_what_nginx_or_lua_would_read(text: str) -> None:
    with pytest.raises(UsageError, match=r"^gateway: value: must be letters"):
        quote(text)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, int]]]:
    directory = tmp_path_factory.mktemp("parsed")
    return directory, skeleton(parse(render(CONFIG), directory))


def with_text(name: str, value: str) -> GatewayConfig:
    return replace(CONFIG, **{name: value})


def with_address(value: str) -> GatewayConfig:
    return replace(CONFIG, listeners=(Listener("edge", value), LISTENERS[1]))


def undigested(text: str) -> str:
    """Take the digest of all values out of what is rendered: a hash says nothing of theirs."""
    return re.sub('"[0-9a-f]{16}"', '"digest"', text)


@functools.cache
def harmless(name: str) -> tuple[str, str]:
    """Give a value that a place takes and no other place has, and what is rendered with it."""
    if name == "address":
        return "192.0.2.77:7777", undigested(render(with_address("192.0.2.77:7777")))
    value = "stand-in" if name == "user" else "/stand/in"
    return value, undigested(render(with_text(name, value)))


def holds(name: str, config: GatewayConfig, value: str, expected: tuple[Path, list[tuple[str, int]]]) -> bool:
    """Whether the configuration is refused or renders the very same directives."""
    try:
        text = render(config)
    except UsageError:
        return True
    stand_in, rendered = harmless(name)
    # Put as it is where a word was, a word is a word; parsing takes a quarter of a second.
    if WORD.fullmatch(value) and undigested(text) == rendered.replace(stand_in, value):
        return True
    directory, directives = expected
    return skeleton(parse(text, directory)) == directives


def test_words_are_told_from_what_has_to_be_parsed(expected: tuple[Path, list[tuple[str, int]]]) -> None:
    for name, value in (("temporary_directory", "/a/b"), ("address", "10.0.0.1:80")):
        stand_in, rendered = harmless(name)
        changed = with_address(value) if name == "address" else with_text(name, value)
        assert stand_in in rendered
        assert rendered.replace(stand_in, value) == undigested(render(changed))
        assert skeleton(parse(rendered, expected[0])) == expected[1]
    assert [WORD.fullmatch(f"/a{each}") for each in "; {}#$\"'\\\n"] == [None] * 10


@pytest.mark.slow
@pytest.mark.no_cover
# 250 times 40 are the 10,000 hostile values; what gets past the grammar is a word, and is not parsed.
@settings(max_examples=250)
@given(st.sampled_from(TEXTS), st.lists(hostile_text, min_size=40, max_size=40))
@example("user", ["root;}", "www-data\ninclude /etc/passwd;"])
@example("requests_directory", ["/var/log;\ninclude /x;", "/a$request_uri", '/a" "b', "/a/b'c"])
def test_hostile_text_never_changes_the_directives(
    expected: tuple[Path, list[tuple[str, int]]], name: str, values: list[str]
) -> None:
    for value in values:
        assert holds(name, with_text(name, value), value, expected), value


@settings(max_examples=100)
@given(st.lists(hostile_text | st.ip_addresses().map(str).map("{}:80".format), min_size=10, max_size=10))
def test_hostile_addresses_never_change_the_directives(
    expected: tuple[Path, list[tuple[str, int]]], values: list[str]
) -> None:
    for value in values:
        assert holds("address", with_address(value), value, expected), value


@settings(max_examples=25)
@given(st.from_regex(r"(/[A-Za-z0-9_][A-Za-z0-9._-]{0,20}){1,5}", fullmatch=True))
def test_path_inside_the_grammar_arrives_as_it_is(expected: tuple[Path, list[tuple[str, int]]], path: str) -> None:
    directory, directives = expected
    tree = parse(render(replace(CONFIG, temporary_directory=path)), directory)
    assert skeleton(tree) == directives
    assert arguments(tree, "/pid") == [[f"{path}/nginx.pid"]]

"""Names of the gateway's Lua: a request's state, its verdicts and what is counted of it are registered, each once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.contracts import GatewayEndpoints
from runyard.gateway import GatewayConfig, Listener, render
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.nginx import LUA, service

# More than runyard.variables tries.
MOST_TRIES = 120

MODULES = {
    path.stem: re.sub(r"--(?!\[\[).*", "", path.read_text())
    for path in [LUA / "runyard.lua", *LUA.glob("runyard/*.lua")]
}
CONFIGURATION = render(
    GatewayConfig(listeners=(Listener("edge", "127.0.0.1:3000", tls=True), Listener("internal", "127.0.0.1:3001")))
)


def section(module: str, begin: str) -> str:
    """Give the text of a table in a module, from where it begins to the brace that ends it."""
    return MODULES[module].partition(begin)[2].partition("\n}")[0]


def others(*owners: str) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in MODULES.items() if name not in owners)


NOTED = set(re.findall(r"^ +(\w+) =", section("request", "M.noted = {"), re.MULTILINE))
TOLD = set(re.findall(r"(\w+) = \"", section("request", "M.told = {")))
VERDICTS = {name.upper().replace("-", "_"): name for name in re.findall(r'\["([a-z-]+)"\] =', MODULES["verdicts"])}
VERDICTS |= dict(re.findall(r'\b([A-Z]+) = "([a-z]*)"', section("verdicts", "local M = {")))
KINDS = {name.upper(): name for name in re.findall(r'kind = "(\w+)"', MODULES["counters"])}


def unregistered(module: str, text: str) -> list[str]:
    """Say what a module reads, writes, decides or counts that is registered nowhere."""
    written = {*re.findall(r"\bvar\.(\w+)(?:, var\.\w+)* = ", text), *re.findall(r", var\.(\w+) = ", text)}
    found = [f"{module}: writes {each}" for each in sorted(written - NOTED)]
    found += [f"{module}: reads {each}" for each in sorted({*re.findall(r"\bvar\.(\w+)", text)} - NOTED - TOLD)]
    said = {*re.findall(r"\bverdicts\.([A-Z_]+)", text)} - VERDICTS.keys()
    said |= {*re.findall(r"\bcounters\.([A-Z_]+)", text)} - KINDS.keys()
    return found + [f"{module}: says {each}" for each in sorted(said)]


def test_registers_are_read_whole() -> None:
    assert {"verdict", "tenant", "unkept"} <= NOTED
    assert {"listener", "http_host", "upstream_http_transfer_encoding"} <= TOLD
    assert VERDICTS["NO_INSTANCE"] == "no-instance"
    assert (VERDICTS["GO"], VERDICTS["FULL"]) == ("", "full")
    assert KINDS["QUEUE_WAIT_S"] == "queue_wait_s"


def test_every_name_that_is_used_is_registered() -> None:
    assert [each for module, text in others("request") for each in unregistered(module, text)] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("var.tennant = 1", ["made: writes tennant", "made: reads tennant"]),
        ("var.http_host = 1", ["made: writes http_host"]),
        ("return var.http_hots", ["made: reads http_hots"]),
        ("var.fallback, var.servise = 1, 2", ["made: writes servise", "made: reads servise"]),
        ("return verdicts.NO_INSTENCE", ["made: says NO_INSTENCE"]),
        ("counters.add(counters.RETRYS, key)", ["made: says RETRYS"]),
    ],
)
def test_name_that_is_not_registered_is_found(text: str, said: list[str]) -> None:
    assert unregistered("made", text) == said


def test_every_registered_name_is_used() -> None:
    texts = "\n".join(text for _, text in others("request", "counters", "verdicts"))
    assert [each for each in sorted(NOTED | TOLD) if not re.search(rf"\bvar\.{each}\b", texts)] == []
    assert [each for each in sorted(VERDICTS) if not re.search(rf"\bverdicts\.{each}\b", texts)] == []
    assert [each for each in sorted(KINDS) if not re.search(rf"\bcounters\.{each}\b", texts)] == []


def test_state_of_a_request_is_read_through_its_own_module_alone() -> None:
    taken = re.compile(r"^local var\b.* = (?:require\(\"runyard\.request\"\)|request)\.var\b.*", re.MULTILINE)
    for module, text in others("request", "variables"):
        assert not re.search(r"\bngx\.(var|ctx)\b", text), module
        # Under this name alone, by which the tests above find what is read of it.
        assert re.findall(r"\.var\b|\bvar\b(?!\.\w)", taken.sub("", text)) == [], module


def test_verdict_is_said_by_its_registered_name_alone() -> None:
    literals = re.compile("|".join(f'"{re.escape(name)}"' for name in VERDICTS.values() if name))
    assert [(module, found) for module, text in others("verdicts", "metrics") for found in literals.findall(text)] == []


def test_nginx_declares_what_lua_notes() -> None:
    declared = {*re.findall(r"\bset \$(\w+)", CONFIGURATION), *re.findall(r"\bmap \S+ \$(\w+)", CONFIGURATION)}
    declared |= {*re.findall(r"set_by_lua_block \$(\w+)", CONFIGURATION)}
    assert sorted(NOTED - declared) == []


def test_nginx_sets_no_verdict_that_is_not_registered() -> None:
    said = re.findall(r"set \$verdict (\S+);", CONFIGURATION)
    assert said
    assert {*said} <= {*VERDICTS.values()}


def test_nginx_keeps_what_lua_writes_where_it_is_known_to(
    start_gateway: MakeGateway, make_instance: MakeInstance
) -> None:
    gateway, instances = start_gateway(workers=1), [make_instance(), make_instance()]
    gateway.serve(*(each.port for each in instances))
    for _ in range(MOST_TRIES):
        assert gateway.request().status == 200
    assert "elsewhere" not in gateway.errors()


@pytest.mark.parametrize(
    ("known", "other", "said"),
    [
        ("runyard_tries *tries;", "runyard_tries *tries; void *more;", "keeps its variables elsewhere"),
        ("*phases[3]", "*phases[4]", "keeps its variables elsewhere"),
        ("void *robin[5]", "void *robin[6]", "keeps its choice of an instance elsewhere"),
    ],
)
def test_another_nginx_costs_time_and_no_request(
    known: str, other: str, said: str, start_gateway: MakeGateway, make_instance: MakeInstance, tmp_path: Path
) -> None:
    shutil.copytree(LUA, tmp_path / "lua")
    layout = tmp_path / "lua" / "runyard" / "layout.lua"
    assert layout.read_text().count(known) == 1
    layout.write_text(layout.read_text().replace(known, other))
    gateway, instance = start_gateway(workers=1, lua_directory=str(tmp_path / "lua")), make_instance()
    gateway.serve(instance.port)
    for _ in range(MOST_TRIES):
        assert gateway.request().status == 200
    assert gateway.errors().count(said) == 1
    line = gateway.requests(MOST_TRIES)[-1]
    assert (line["service"], line["instances"]) == ("hello", f"127.0.0.1:{instance.port}")


def test_address_that_fills_its_memory_overwrites_nothing(
    start_gateway: MakeGateway, make_instance: MakeInstance
) -> None:
    instance, gateway = make_instance(host="0.0.0.0"), start_gateway(workers=1)
    # LuaJIT gives memory in pieces that a text of 16 bytes fills to the last.
    for address in (f"127.0.0.{last}:{instance.port}" for last in range(10, 100)):
        assert len(address) == 16
        gateway.push(
            services={"default/hello": service(("hello-1", 100))},
            hosts={"hello.localhost": "default/hello"},
            endpoints={"default/hello-1": GatewayEndpoints((address,))},
        )
        assert gateway.request().status == 200
    # It frees all that it has, and ends by signal 11 where it finds that broken.
    gateway.stop()
    assert "exited on signal" not in gateway.errors()


def test_no_text_is_copied_into_memory_without_room_for_its_end() -> None:
    # As the initializer of an array without a size, a text brings a zero along.
    copied = re.compile(r"ffi\.new\(\s*\"[^\"]*\[\?\]\",\s*#([\w.]+),\s*\1\s*\)")
    assert copied.search('ffi.new("char[?]", #name, name)')
    assert [module for module, text in MODULES.items() if copied.search(text)] == []

"""Shape of the messages that the gateway takes: the contract's fields and defaults, which Lua has a copy of."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from runyard.contracts import GatewayDelta, GatewayEndpoints, GatewayService, GatewaySnapshot, TrafficShare
from runyard.contracts.route import Breaker, Fallback, Handling, Limits, Retries
from runyard.contracts.snapshot import GatewayPath, GatewayRemovals
from tests.unit.services.gateway.nginx import LUA

SHAPE = (LUA / "runyard" / "shape.lua").read_text(encoding="utf-8")
CLASSES = {
    "share": TrafficShare, "handling": Handling, "limits": Limits, "fallback": Fallback, "service": GatewayService,
    "route": GatewayPath, "endpoints": GatewayEndpoints, "removals": GatewayRemovals,
    "retries": Retries, "breaker": Breaker,
}  # fmt: skip
NEEDED = "must be given"
NAMES: dict[str, Any] = {"true": True, "false": False, '""': "", "VERSION": 1, None: NEEDED}


def lua_fields(text: str) -> dict[str, Any]:
    """Give the default of each field; `{}` is that of whatever is empty or has defaults of its own."""
    rows = re.findall(r"^    (?:fields\.)?(\w+) = \{ (.+?) \},?$", text, re.MULTILINE)
    # What stands behind the kind, whose own commas are inside of parentheses.
    found = {name: re.fullmatch(r"\w+(?:\(.*\))?(?:, (.+))?", row) for name, row in rows}
    assert all(found.values()), found
    return {name: plain(row[1]) for name, row in found.items() if row}


def plain(word: str | None) -> Any:
    if word in NAMES:
        return NAMES[word]
    return "{}" if word == "{}" else int(word) if word and word.isdigit() else str(word).strip('"')


def contract_fields(kind: type) -> dict[str, Any]:
    found = {}
    for field in dataclasses.fields(kind):
        made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        empty = made in ((), {}) or dataclasses.is_dataclass(made)
        found[field.name] = NEEDED if made is dataclasses.MISSING else "{}" if empty else made
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_object_has_the_contracts_fields_and_defaults(name: str) -> None:
    body = re.search(rf"^local {name} = object \{{\n(.*?)^\}}", SHAPE, re.MULTILINE | re.DOTALL)
    assert body
    assert lua_fields(body[1]) == contract_fields(CLASSES[name])


def test_every_object_is_one_of_the_contract() -> None:
    assert set(re.findall(r"^local (\w+) = object \{", SHAPE, re.MULTILINE)) == set(CLASSES)


def test_messages_have_the_contracts_fields_and_defaults() -> None:
    common, delta = (
        re.search(pattern, SHAPE, re.MULTILINE | re.DOTALL)
        for pattern in (r"^local function message\(fields\)\n(.*?)^end", r"^local delta = message \{\n(.*?)^\}")
    )
    assert common
    assert delta
    assert lua_fields(common[1]) == contract_fields(GatewaySnapshot)
    assert lua_fields(common[1]) | lua_fields(delta[1]) == contract_fields(GatewayDelta)

"""Acceptor: whatever the gateway is sent as a snapshot and its deltas, it puts in force whole and usable, or refuses.

The gateway is a real nginx; acceptor.lua runs in it and tells which lines of Lua followed which.
"""

from __future__ import annotations

import atexit
import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from runyard.codec import decode, encode
from runyard.contracts import GatewaySnapshot, TrafficShare
from runyard.contracts.snapshot import GatewayDelta, GatewayRemovals
from tests.fuzz.json_mutation import mutate_json
from tests.harness.client import UnixConnection, answer_of
from tests.unit.runyard.test_contracts import MESSAGES
from tests.unit.services.gateway.nginx import Gateway, endpoints, make_gateway, service

LONGEST = 32 << 10
SEPARATOR = b"\x1e"
# As acceptor.lua has it.
EDGES = 65536
_LUA = Path(__file__).with_name("acceptor.lua")
_LOCATION = f"""        location = /fuzz {{
            content_by_lua_block {{
                package.loaded.acceptor = package.loaded.acceptor or dofile("{_LUA}")
                package.loaded.acceptor.serve()
            }}
        }}
"""
_BEFORE = "        location = /healthz {"


class _Gateway(Gateway):
    """A gateway with one more location on its admin socket."""

    def configuration(self) -> str:
        before, found, after = super().configuration().rpartition(_BEFORE)
        assert found, "the admin socket has no /healthz"
        return before + _LOCATION + found + after


@cache
def _connection() -> UnixConnection:
    """Start the gateway and connect to it, once."""
    directory = Path(tempfile.mkdtemp(prefix="runyard-fuzz-"))
    made = make_gateway(directory, workers=1)
    gateway = _Gateway(made.directory, made.config)
    gateway.start()
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(gateway.stop)
    return UnixConnection(Path(gateway.config.admin_socket))


def seeds() -> Iterator[bytes]:
    """Give snapshots, and deltas that follow them."""
    for message in MESSAGES:
        if isinstance(message, GatewaySnapshot):
            yield encode(message).encode()
    whole = GatewaySnapshot(
        1,
        {"shop/web": service(("web-1", 90), ("web-2", 10, "new")), "shop/cart": service(("cart-1", 100))},
        {"web.localhost": "shop/web", "*.localhost": "shop/cart"},
        {"shop/web-1": endpoints(80, 81), "shop/web-2": endpoints(82), "shop/cart-1": endpoints(83)},
        {"10.0.0.2": "shop/web", "::1": "shop/cart"},
    )
    added = GatewayDelta(1, 2, hosts={"cart.localhost": "shop/cart"}, removed=GatewayRemovals(hosts=("*.localhost",)))
    shares = service(("web-2", 100))
    moved = GatewayDelta(2, 3, {"shop/web": shares}, removed=GatewayRemovals(endpoints=("shop/web-1",)))
    yield SEPARATOR.join(encode(each).encode() for each in (whole, added, moved))
    assert shares.traffic == (TrafficShare("web-2", 100),)


def attempt(data: bytes, visit: Callable[[int, int], None] = lambda edge, times: None) -> list[dict[str, Any]]:
    """Send messages; AssertionError when the gateway does not take or refuse each as it promises.

    `visit` is told each edge (below `EDGES`) and how often it was gone through; gives what came of each message.
    """
    connection = _connection()
    connection.request("POST", "/fuzz", data)
    answer = answer_of(connection.getresponse())
    assert answer.status == 200, f"answered {answer.status}: {answer.body[:200]!r}"
    result = json.loads(answer.body.decode())
    for edge in result["edges"].split(";") if result["edges"] else ():
        index, _, times = edge.partition(",")
        visit(int(index), int(times))
    assert result["failure"] is None, result["failure"]
    told: list[dict[str, Any]] = result["told"]
    for message, each in zip(data.split(SEPARATOR), told, strict=True):
        if "kept" in each:
            # The decoder reads `1.` as 1, which is no JSON, means nothing else to anybody, and cannot be switched off.
            json.loads(re.sub(r"(?<=\d)\.(?=[^\d])", ".0", message.decode()), parse_constant=_refuse)
            decode(GatewaySnapshot, each["kept"])
    return told


def _refuse(word: str) -> None:
    raise AssertionError(f"took {word}, which is no JSON")


def mutate(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes | None:
    """Change the JSON of one message, or which there are."""
    messages = data.split(SEPARATOR)
    known = [message for each in others for message in each.split(SEPARATOR)]
    at = chance.randrange(len(messages))
    if known and chance.random() < 0.05:
        messages.insert(at + 1, chance.choice(known))
    changed = mutate_json(messages[at], known, chance)
    if changed is None:
        return None
    messages[at] = changed
    return SEPARATOR.join(messages)

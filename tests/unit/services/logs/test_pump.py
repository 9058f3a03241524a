"""The pump with a store of the test's own: what it is told, and what becomes of what it does not take."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from runyard.contracts import ContainerOwner
from runyard.errors import UsageError
from services.logs.exposition import Exposition
from services.logs.pump import Pump
from services.logs.sources import Sources
from services.logs.store import StoreAway, StoreRefused
from tests.harness.logs import EngineLog

WEB, CART = "a" * 64, "b" * 64
OWNERS = {
    WEB: ContainerOwner("shop", "web", "web-1", "a1", "app"),
    CART: ContainerOwner("other", "cart", "cart-1", "b1", "app"),
}


class FakeStore:
    """A store in memory, which fails as often as it is told to: when it is asked (`away`), or is to take something."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.away = 0
        self.records: dict[str, list[dict[str, str]]] = {}
        self.asked: list[str] = []

    async def put(self, tenant: str, records: bytes) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.records.setdefault(tenant, []).extend(map(json.loads, records.splitlines()))

    async def ask(self, tenant: str, query: str, *, start: str = "", most_bytes: int = 0) -> list[dict[str, Any]]:
        self.asked.append(start)
        if self.away:
            self.away -= 1
            raise StoreAway("store: asked too early")
        return [each for each in self.records.get(tenant, []) if f'"{each["id"]}"' in query]

    def texts(self, tenant: str) -> list[str]:
        return [each["_msg"] for each in self.records.get(tenant, [])]


class Told:
    """A journal to look into."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def write(self, event: str, **fields: Any) -> None:
        self.events.append(f"{event}: {fields['problem']}")


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def begin(
    directory: Path,
    store: FakeStore,
    journal: Told | None = None,
    sleep: Callable[[float], Awaitable[None]] = at_once,
    own: str = ".",
) -> Pump:
    limits, file = (10**6, 10**9), directory / own / "checkpoint.json"
    # Each look at the clock is some seconds after the one before.
    times = itertools.count(0.0, 4.0)
    return Pump(file, Sources(directory), store, limits, journal or Told(), sleep, lambda: next(times))


def turn(pump: Pump) -> None:
    asyncio.run(pump.turn(OWNERS, known=True))


def test_tenants_get_their_own_and_nobody_what_is_of_no_container_of_theirs(tmp_path: Path) -> None:
    for container, text in ((WEB, '{"a":"web"}'), (CART, '{"a":"cart"}'), ("c" * 64, '{"a":"foreign"}')):
        EngineLog(tmp_path, container).write(text)
    store = FakeStore()
    pump = begin(tmp_path, store)
    turn(pump)
    assert {tenant: store.texts(tenant) for tenant in store.records} == {
        "shop": ['{"a":"web"}'],
        "other": ['{"a":"cart"}'],
    }
    metrics = CollectorRegistry()
    metrics.register(Exposition(pump))
    told = generate_latest(metrics).decode()
    assert 'runyard_logs_lines_total{service="cart",tenant="other"} 1.0' in told
    assert "runyard_logs_behind_bytes 0.0" in told


def test_what_the_store_refuses_is_put_in_when_it_takes_it_and_told_once(tmp_path: Path) -> None:
    log, journal = EngineLog(tmp_path, WEB), Told()
    store = FakeStore()
    pump = begin(tmp_path, store, journal)
    turn(pump)
    log.write('{"a":1}')
    store.errors = [StoreRefused("store: 503: no space left")] * 3
    turn(pump)
    assert store.texts("shop") == ['{"a":1}']
    assert journal.events == ["store refused: store: 503: no space left"]


def test_what_may_be_in_the_store_ends_this_life_and_the_next_puts_in_the_rest(tmp_path: Path) -> None:
    log = EngineLog(tmp_path, WEB)
    log.write('{"a":1}')
    store = FakeStore()
    turn(begin(tmp_path, store))
    log.write('{"a":2}')
    pump = begin(tmp_path, store)
    store.away, store.errors = 2, [StoreAway("store: timed out")]
    with pytest.raises(StoreAway, match="timed out"):
        turn(pump)
    turn(begin(tmp_path, store))
    assert store.texts("shop") == ['{"a":1}', '{"a":2}']


def test_life_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    log = EngineLog(tmp_path, WEB)
    log.write('{"a":1}')
    store = FakeStore()
    first = begin(tmp_path, store)
    turn(first)
    first.close()
    log.write('{"a":2}')
    # What came before is not even looked at.
    store.records.clear()
    turn(begin(tmp_path, store))
    assert store.texts("shop") == ['{"a":2}']
    assert store.asked[-1] != ""


def test_flood_of_one_log_ends_its_turn_and_the_next_goes_on(tmp_path: Path) -> None:
    log = EngineLog(tmp_path, WEB)
    log.write(*("x" * 16_000 for _ in range(700)), '{"a":"last"}', at=datetime(2026, 11, 28, tzinfo=UTC))
    store = FakeStore()
    pump = Pump(tmp_path / "checkpoint.json", Sources(tmp_path), store, (1000, 10**9), Told(), at_once)
    turn(pump)
    assert pump.behind_bytes > 0
    turn(pump)
    assert pump.behind_bytes == 0
    assert pump.totals["shop", "web"].left_out_bytes > 11_000_000


def test_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.json").write_text('{"version":2}')
    with pytest.raises(UsageError, match=r"checkpoint .*: .*remove it to read all logs anew"):
        begin(tmp_path, FakeStore())


class Ended(Exception):
    """What ends a pump that a test runs."""


def run(turns: int, directory: Path, store: FakeStore, journal: Told | None = None, own: str = ".") -> None:
    """Take so many turns of what would never end."""
    left = iter(range(turns - 1))

    async def sleep(_: float) -> None:
        if next(left, None) is None:
            raise Ended

    registry: Any = SimpleNamespace(there=SimpleNamespace(owners=OWNERS), connected=True)
    with pytest.raises(Ended):
        asyncio.run(begin(directory, store, journal, sleep, own).run(registry))


def test_turn_that_fails_is_told_once_and_the_next_puts_in_what_it_had(tmp_path: Path) -> None:
    EngineLog(tmp_path, WEB).write('{"a":1}')
    store, journal = FakeStore(), Told()
    store.errors = [OSError("read: input/output error")] * 3
    run(4, tmp_path, store, journal)
    assert store.texts("shop") == ['{"a":1}']
    assert journal.events == ["turn failed: read: input/output error"]


def test_checkpoint_is_kept_as_the_pump_goes_and_told_once_where_it_cannot_be(
    tmp_path: Path,
) -> None:
    EngineLog(tmp_path, WEB).write('{"a":1}')
    run(3, tmp_path, FakeStore())
    # As after a kill: nothing was kept at the end.
    store = FakeStore()
    turn(begin(tmp_path, store))
    assert (store.texts("shop"), len(store.asked)) == ([], 1)
    journal = Told()
    run(5, tmp_path, store, journal, own="none")
    assert len(journal.events) == 1
    assert journal.events[0].startswith("turn failed: ")


def test_limit_that_was_reached_in_one_life_is_reached_in_the_next(tmp_path: Path) -> None:
    # So long ago that it is told at once what was left out.
    log, moment = EngineLog(tmp_path, WEB), datetime.now(UTC) - timedelta(hours=1)
    log.write('{"a":1}', at=moment)
    store, day_bytes = FakeStore(), log.file.stat().st_size + 1
    for _ in range(2):
        pump = Pump(tmp_path / "checkpoint.json", Sources(tmp_path), store, (10**6, day_bytes), Told(), at_once)
        turn(pump)
        pump.close()
        log.write('{"a":2}', at=moment)
    texts = store.texts("shop")
    assert texts[0] == '{"a":1}'
    assert [each.partition(" (")[0] for each in texts[1:]] == ["[runyard] 1 line"]

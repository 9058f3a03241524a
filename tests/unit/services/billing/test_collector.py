"""Collector: each batch of a real meter's port is there once, whoever is killed at whichever write."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from runyard.contracts import UsageBatch, UsageWindow
from runyard.database import connect
from services.billing.adapters.database import LedgerUnavailable, migrate, reading, writing
from services.billing.adapters.meter import Meter, MeterUnavailable
from services.billing.adapters.revisions import record_bases
from services.billing.collector import Collector
from tests.harness.ports import free_port
from tests.harness.postgres import postgres
from tests.harness.seeds import given_seed
from tests.harness.waiting import until
from tests.unit.services.billing.spool import Spool, serving
from tests.unit.services.billing.world import ask, at, minutes, window

NOON_S = at(2, 12) / 1000


@dataclass
class Lines:
    """A log that a test reads."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def write(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


def collector(engine: Engine, port: int, log: Lines | None = None) -> Collector:
    return Collector(engine, Meter("127.0.0.1", port), log or Lines(), clock=lambda: NOON_S)


def batches(count: int, size: int = 10) -> list[UsageBatch]:
    windows = minutes(count * size)
    return [UsageBatch(3 * each + 1, tuple(windows[each * size : each * size + size])) for each in range(count)]


@pytest.fixture
def spool() -> Iterator[Spool]:
    with serving() as made:
        yield made


def test_batches_are_taken_in_order_until_there_is_none(engine: Engine, spool: Spool) -> None:
    spool.batches = batches(3)
    subject = collector(engine, spool.port)
    assert [subject.step() for _ in range(4)] == [True, True, True, False]
    assert spool.asked == [0, 1, 4, 7]
    assert (subject.counts.new, subject.counts.caught_up_s) == (30, NOON_S)


def test_collector_that_begins_anew_goes_on_where_the_one_before_had_come(engine: Engine, spool: Spool) -> None:
    spool.batches = batches(2)
    collector(engine, spool.port).step()
    again = collector(engine, spool.port)
    assert [again.step(), again.step()] == [True, False]
    assert ask(engine, "SELECT count(*), sum(requests) FROM usage") == [(20, 2000)]


def test_windows_that_can_be_no_usage_are_put_aside_and_stop_nothing(engine: Engine, spool: Spool) -> None:
    good, bad = window(), window(at(1, 0, 1), tenant="No/Tenant")
    ahead = window(at(30, month=12), container="c2")
    spool.batches = [UsageBatch(1, (bad, good, ahead))]
    log = Lines()
    subject = collector(engine, spool.port, log)
    assert [subject.step(), subject.step()] == [True, False]
    assert (subject.counts.new, subject.counts.refused) == (1, 2)
    reasons = [detail["reason"] for (detail,) in ask(engine, "SELECT detail FROM events ORDER BY id")]
    assert [each.partition(":")[0] for each in reasons] == ["tenant", "start_ms"]
    assert log.events == [("windows not taken", {"level": "warning", "refused": 2, "contradicted": 0, "stolen": 0})]


def test_revision_that_is_billed_by_instance_is_stamped_on_its_windows(engine: Engine, spool: Spool) -> None:
    with writing(engine) as connection:
        record_bases(connection, [("shop", "web", "web-2")])
    spool.batches = [UsageBatch(1, (window(), window(container="c2", revision="web-2")))]
    collector(engine, spool.port).step()
    assert ask(engine, "SELECT basis FROM usage ORDER BY container_id") == [("request",), ("instance",)]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, "{}", "it answered 500, 2 bytes"),
        (200, "[]", "decode UsageBatch: must be an object, got []"),
        (200, json.dumps({"sequence": 1, "version": 2}), "decode UsageBatch: version: must be 1, got 2"),
    ],
)
def test_answer_that_is_no_batch_is_told_and_nothing_is_taken(
    engine: Engine, spool: Spool, status: int, body: str, said: str
) -> None:
    spool.answer = status, body
    with pytest.raises(MeterUnavailable) as raised:
        collector(engine, spool.port).step()
    assert str(raised.value) == f"ask the meter for windows: {said}"


def test_meter_that_is_away_is_said_once_and_asked_again(engine: Engine) -> None:
    log, ending, port = Lines(), threading.Event(), free_port()
    subject = collector(engine, port, log)
    runner = threading.Thread(target=subject.run, args=(ending,))
    runner.start()
    try:
        until(lambda: subject.counts.failures >= 2, "it was tried twice")
        with serving(port) as spool:
            spool.batches = batches(1)
            until(lambda: subject.counts.caught_up_s, "the batch is there")
            ending.set()
            runner.join()
    finally:
        ending.set()
        runner.join()
    assert [event for event, _ in log.events] == ["collecting failed", "collecting again"]


class Killed(BaseException):
    """The process ends here."""


def test_collector_that_is_killed_at_any_write_loses_and_doubles_nothing(engine: Engine, spool: Spool) -> None:
    """Each statement of a batch in turn is the last: as an end of the process, its connection is cut there."""
    expected: list[UsageWindow] = []
    for number in range(40):
        first = at(1) + number * 120_000
        windows = tuple(minutes(2, first, container=f"c{number}", tenant=f"t{number % 7}"))
        expected += windows
        spool.batches.append(UsageBatch(number + 1, windows))
        survived = _step_until_killed(engine, spool, number % 20)
        assert ask(engine, "SELECT count(*) FROM usage") == [(len(expected) if survived else len(expected) - 2,)]
        # And again, from the beginning.
        collector(engine, spool.port).step()
        assert ask(engine, "SELECT count(*), sum(requests) FROM usage") == [(len(expected), len(expected) * 100)]


def _step_until_killed(engine: Engine, spool: Spool, statements: int) -> bool:
    """Take a batch with a connection that is lost after so many statements; True if it was done before."""
    mortal = connect(str(engine.url.render_as_string(hide_password=False)))
    left = [statements]

    def count(*_: Any) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1

    event.listen(mortal, "before_cursor_execute", count)
    try:
        return collector(mortal, spool.port).step()
    except Killed:
        return False
    finally:
        mortal.dispose()


@pytest.mark.slow
def test_database_that_is_killed_again_and_again_loses_and_doubles_nothing() -> None:
    """A server that keeps its word on the disk, killed at random moments while batches are written."""
    draw = random.Random(given_seed())
    with postgres(durable=True) as server, serving() as spool:
        spool.batches = batches(60, 20)
        engine = connect(server.url(server.make_database()))
        migrate(engine)
        subject, ending = collector(engine, spool.port), threading.Event()
        subject.first_retry_s = subject.last_retry_s = 0.05
        runner = threading.Thread(target=subject.run, args=(ending,))
        runner.start()
        try:
            for _ in range(3):
                goal = subject.counts.new + draw.randrange(40, 200)
                until(lambda goal=goal: subject.counts.new >= goal, "more is there")  # type: ignore[misc]
                server.kill()
                server.start()
            until(lambda: subject.counts.caught_up_s, "all is there")
        finally:
            ending.set()
            runner.join()
        with reading(engine) as connection:
            rows = connection.execute(text("SELECT count(*), count(DISTINCT window_start), sum(requests) FROM usage"))
            assert tuple(rows.one()) == (1200, 1200, 120_000)
        engine.dispose()


def test_database_that_is_away_is_told_as_such(engine: Engine, spool: Spool, tmp_path: Path) -> None:
    nowhere = connect(f"postgresql+psycopg://postgres@/none?host={tmp_path}")
    with pytest.raises(LedgerUnavailable, match=r"^ask the ledger's database: "):
        collector(nowhere, spool.port).step()

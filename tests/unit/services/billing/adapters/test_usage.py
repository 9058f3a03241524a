"""Usage: whatever the order, the delay and the number of times, each window of a run counts once, and for its owner."""

from __future__ import annotations

import dataclasses
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from services.billing.adapters.database import LedgerError, reading, writing
from services.billing.adapters.usage import (
    Taken,
    end_containers,
    feed_sequence,
    note_sequence,
    sum_days,
    take_windows,
)
from tests.harness.seeds import given_seed
from tests.unit.services.billing.world import BUSY, OCTOBER, ask, at, minutes, take, window


def test_same_windows_ten_times_and_out_of_order_are_there_once(engine: Engine) -> None:
    windows = minutes(50) + minutes(50, container="c2", instance="i2")
    draw = random.Random(given_seed())
    assert take(engine, windows) == Taken(100, 0)
    before = ask(engine, "SELECT * FROM usage ORDER BY id")
    for _ in range(10):
        some = draw.sample(windows, 70)
        assert take(engine, some) == Taken(0, 70)
    assert ask(engine, "SELECT * FROM usage ORDER BY id") == before
    assert ask(engine, "SELECT count(*), sum(requests) FROM usage") == [(100, 10_000)]


def test_window_that_is_twice_in_one_batch_is_there_once(engine: Engine) -> None:
    assert take(engine, [window(), window()]).new == 1


def test_window_that_is_told_otherwise_later_stays_and_is_noted(engine: Engine) -> None:
    take(engine, [window()])
    other = window(amounts=dataclasses.replace(BUSY, requests=999))
    assert take(engine, [other]) == Taken(0, 1, contradicted=1)
    assert ask(engine, "SELECT requests FROM usage") == [(100,)]
    assert ask(engine, "SELECT kind, detail ->> 'windows' FROM events") == [("window-contradicted", "1")]


def test_container_that_is_started_again_is_another_run(engine: Engine) -> None:
    taken = take(engine, [window(), window(started_ms=at(1) - 1_000)])
    assert taken == Taken(2, 0)
    assert ask(engine, "SELECT count(*) FROM containers") == [(2,)]


def test_run_stays_with_its_first_owner_whatever_a_later_window_says(engine: Engine) -> None:
    take(engine, [window()])
    stolen = take(engine, [window(at(1, 0, 1), tenant="rival"), window(at(1, 0, 2))])
    assert stolen == Taken(1, 1, stolen=1)
    assert ask(
        engine,
        "SELECT t.name, count(*) FROM usage AS u JOIN services AS s ON s.id = u.service_id "
        "JOIN tenants AS t ON t.id = s.tenant_id GROUP BY t.name",
    ) == [("shop", 2)]
    ((kind, detail),) = ask(engine, "SELECT kind, detail FROM events")
    assert (kind, detail["tenant"], detail["engine_id"]) == ("owner-contradicted", "rival", "c1")


def test_windows_of_many_months_lie_in_parts_of_their_own(engine: Engine) -> None:
    take(engine, [window(at(1, month=each)) for each in (12, 2, 7)])
    take(engine, [window(at(28, 23, 59, month=2))])
    assert ask(engine, "SELECT tableoid::regclass::text, count(*) FROM usage GROUP BY 1 ORDER BY 1") == [
        ("usage_2026_02", 2),
        ("usage_2026_07", 1),
        ("usage_2026_12", 1),
    ]


def test_last_minute_of_a_month_is_of_that_month(engine: Engine) -> None:
    take(engine, [window(at(31, 23, 59)), window(at(1, month=11), container="c2")])
    with reading(engine) as connection:
        days = sum_days(connection, "shop", OCTOBER.times, 100, 10**9)
    assert [str(day) for _, day in days] == ["2026-10-31"]


@pytest.mark.parametrize("statement", ["UPDATE usage SET requests = 0", "DELETE FROM usage"])
def test_usage_is_never_changed_or_removed(engine: Engine, statement: str) -> None:
    take(engine, [window()])
    verb = statement.split()[0].lower()
    with pytest.raises(LedgerError) as raised, writing(engine) as connection:
        connection.execute(text(statement))
    assert str(raised.value) == f"write to the ledger: usage_2026_10 is append-only: {verb} is refused"


def test_eight_writers_at_once_of_the_same_windows_write_each_once(engine: Engine) -> None:
    windows = [each for name in "abcd" for each in minutes(40, container=name, service=f"s-{name}", tenant=f"t-{name}")]
    seed = given_seed()

    def write(number: int) -> int:
        mine = list(windows)
        random.Random(seed + number).shuffle(mine)
        return sum(take(engine, mine[at : at + 20]).new for at in range(0, len(mine), 20))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == len(windows)
    assert ask(engine, "SELECT count(*), sum(requests) FROM usage") == [(160, 16_000)]
    assert ask(engine, "SELECT count(*) FROM tenants") == [(4,)]


def test_sequence_of_a_meter_is_noted_with_its_windows_or_not_at_all(engine: Engine) -> None:
    with writing(engine) as connection:
        take_windows(connection, [(window(), "request")])
        note_sequence(connection, "meter", 7)
        connection.rollback()
    with reading(engine) as connection:
        assert feed_sequence(connection, "meter") == 0
    assert ask(engine, "SELECT count(*) FROM usage") == [(0,)]


def test_sequence_of_a_meter_never_goes_back(engine: Engine) -> None:
    for sequence in (7, 3, 9, 8):
        with writing(engine) as connection:
            note_sequence(connection, "meter", sequence)
    with reading(engine) as connection:
        assert feed_sequence(connection, "meter") == 9


def test_run_that_the_newest_window_has_left_behind_has_ended(engine: Engine) -> None:
    take(engine, [window(), window(at(1, 0, 3), container="c2")])
    with writing(engine) as connection:
        assert end_containers(connection) == 1
    assert ask(engine, "SELECT engine_id, status FROM containers ORDER BY 1") == [("c1", "ended"), ("c2", "running")]

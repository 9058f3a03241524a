"""Recorded load as a trace: nothing of it is lost, and it comes as it came."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.contracts import RecordedLoad, RecordedMinute
from runyard.forecast.recorded import SINGLE, WEEK_S, Recorded, recorded_load
from runyard.forecast.simulation import Load, simulate_service
from runyard.manifest.model import Manifests, Platform
from runyard.scaling.counts import Span
from runyard.scaling.simulation import Batch
from tests.unit.runyard.plan.example import service
from tests.unit.runyard.scaling.story import SETTINGS

# A minute's number, and the moment at its end.
FIRST = 29_923_200
END = 60 * (FIRST + 10)


def laid(*minutes: RecordedMinute) -> list[Batch]:
    return list(Recorded(minutes, FIRST))


def record(*minutes: RecordedMinute, since: int = 60 * FIRST, until: int = END) -> RecordedLoad:
    return RecordedLoad("acme", "shop", since, until, minutes)


def load_of(*minutes: RecordedMinute, since: int = 60 * FIRST, until: int = END) -> Load:
    found = recorded_load(record(*minutes, since=since, until=until))
    assert found is not None
    return found


@given(
    st.lists(
        st.tuples(st.integers(0, 30_000), st.integers(0, 600_000), st.integers(0, 5000)).filter(any),
        min_size=1,
        max_size=5,
    )
)
def test_requests_stay_in_their_minutes_in_order_and_take_their_time(counted: list[tuple[int, int, int]]) -> None:
    minutes = [(FIRST + at, *each) for at, each in enumerate(counted) if each[0] or each[1]]
    batches = laid(*minutes)
    assert batches == sorted(batches, key=lambda each: each.at_s)
    assert min((each.requests for each in batches), default=1) > 0
    for number, arrivals, served_ms, _ in minutes:
        mine = [each for each in batches if int(each.at_s // 60) == number - FIRST]
        count = sum(each.requests for each in mine)
        assert arrivals <= count
        assert count == arrivals or served_ms > 60_000 * arrivals
        spent_s = sum(each.requests * each.request_s for each in mine)
        # A request takes no less than a millisecond.
        assert spent_s == pytest.approx(max(served_ms / 1000, 0.001 * count))


def test_few_requests_come_one_by_one_at_other_moments_of_each_minute() -> None:
    batches = laid(*((FIRST + at, 1, 100, 1) for at in range(1000)))
    within = [each.at_s % 60 for each in batches]
    gaps = [after.at_s - before.at_s for before, after in itertools.pairwise(batches)]
    assert len({*within}) == 1000
    assert sum(within) / 1000 == pytest.approx(30, abs=2)
    # Half of the pauses are longer than a window of a minute, in which a service falls asleep.
    assert sum(gap > 60 for gap in gaps) / 999 == pytest.approx(0.5, abs=0.05)


def test_busiest_second_comes_as_a_burst() -> None:
    batches = laid((FIRST, 20, 2000, 15))
    assert sorted(each.requests for each in batches) == [1, 1, 1, 1, 1, 15]
    assert {each.request_s for each in batches} == {0.1}


def test_many_come_evenly_but_for_the_busiest_second() -> None:
    batches = laid((FIRST, 10 * SINGLE, 60_000, 100))
    requests = sorted(each.requests for each in batches)
    assert len(batches) == 30
    assert (requests[0], requests[-2]) == (16, 17)
    assert requests[-1] in (116, 117)


def test_what_lasts_for_longer_than_a_minute_is_there_all_the_time() -> None:
    # Three WebSockets that were opened before, and go on.
    batches = laid(*((FIRST + at, 0, 180_000, 0) for at in range(3)))
    assert batches == [Batch(60.0 * at, 3, 60.0) for at in range(3)]
    # One that was opened among short requests: as many at once as there were.
    (first, *_) = laid((FIRST, 1, 90_000, 1))
    assert first == Batch(0.0, 2, 45.0)


def test_burst_of_a_service_that_sleeps_starts_it_once() -> None:
    load = load_of((FIRST, 5, 500, 5), (FIRST + 5, 5, 500, 5))
    terms = (Manifests(Platform(), (), ()), "2026-11-23")
    simulated = simulate_service(service(), SETTINGS, ((0.0, Span(0, 10)),), load, terms)
    assert (simulated.outcome.cold_starts, simulated.outcome.peak, simulated.outcome.requests) == (2, 1, 10)
    assert simulated.outcome.length_s == 600


def test_load_has_its_length_its_peak_and_its_name() -> None:
    short = load_of((FIRST, 5, 500, 3), (FIRST + 5, 50, 500, 20))
    assert (short.name, short.length_s, short.peak_rps) == ("the load of the last 10 minutes", 600, 20)
    whole = load_of((FIRST, 5, 500, 0), since=END - WEEK_S)
    assert (whole.name, whole.length_s, whole.peak_rps) == ("last week's load", WEEK_S, 1)


def test_more_than_a_week_is_left_out() -> None:
    since, early = END - 8 * 86_400, FIRST + 10 - WEEK_S // 60 - 1
    load = load_of((early, 900, 900, 900), (early + 1, 5, 500, 5), since=since)
    assert (load.name, load.length_s, load.peak_rps) == ("last week's load", WEEK_S, 5)
    assert sum(each.requests for each in load.batches or ()) == 5
    assert recorded_load(record((early, 900, 900, 900), since=since)) is None


def test_nothing_recorded_is_no_load() -> None:
    assert recorded_load(None) is None
    assert recorded_load(record()) is None


def test_same_record_gives_the_same_each_time() -> None:
    load = load_of(*((FIRST + at, 7 * at, 100 * at, at) for at in range(1, 9)))
    assert load.batches is not None
    assert list(load.batches) == list(load.batches)

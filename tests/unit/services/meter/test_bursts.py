"""Bursts: time with a request in flight is told once, whatever the order of requests, and rounded up by burst."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.meter.bursts import KEPT, ROUNDED_MS, Bursts

Request = tuple[int, int]


def told(*requests: Request) -> int:
    bursts = Bursts()
    return sum(end - begin for each in requests for begin, end in bursts.add(*each))


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([(0, 0)], 100),
        ([(0, 1)], 100),
        ([(0, 100)], 100),
        ([(0, 101)], 200),
        # Apart: each is rounded up by itself.
        ([(0, 10), (1000, 1010)], 200),
        # At once, and one after the other without a gap.
        ([(0, 250), (100, 240)], 300),
        ([(0, 250), (250, 390)], 400),
        # Within what was rounded up already.
        ([(0, 10), (50, 60)], 100),
        ([(0, 10), (50, 160)], 200),
        # The last to end began first, and joins two.
        ([(0, 10), (500, 510), (5, 505)], 600),
        ([(1000, 1010), (900, 1015)], 200),
    ],
)
def test_bursts_are_rounded_up_and_told_once(requests: list[Request], expected: int) -> None:
    assert told(*requests) == expected


def test_pieces_are_those_that_were_not_told() -> None:
    bursts = Bursts()
    assert bursts.add(1000, 1010) == [(1000, 1100)]
    assert bursts.add(1500, 1590) == [(1500, 1600)]
    assert bursts.add(1050, 1550) == [(1100, 1500)]
    assert bursts.export() == ((1000, 1590, 1600),)


times = st.integers(0, 5_000)
requests = st.lists(st.tuples(times, st.integers(0, 800)).map(lambda each: (each[0], sum(each))), max_size=40)


@given(requests)
def test_no_moment_is_told_twice_and_none_with_a_request_is_left_out(given_requests: list[Request]) -> None:
    bursts, seen = Bursts(), set[int]()
    for each in sorted(given_requests, key=lambda request: request[1]):
        for begin, end in bursts.add(*each):
            moments = set(range(begin, end))
            assert not moments & seen
            seen |= moments
    busy = {moment for begin, end in given_requests for moment in range(begin, max(end, begin + 1))}
    assert busy <= seen
    # One look at all of them: each burst rounded up. Joins in hindsight add less than a step each.
    whole = sum(end - begin for each in sorted(given_requests) for begin, end in Bursts().add(*each)) if busy else 0
    assert len(seen) <= whole + ROUNDED_MS * len(given_requests)


@given(requests)
def test_bursts_that_were_kept_and_read_again_go_on_as_if_nothing_was(given_requests: list[Request]) -> None:
    one, other = Bursts(), Bursts()
    for each in given_requests:
        other = Bursts(other.export(), other.floor_ms)
        assert one.add(*each) == other.add(*each)


def test_only_so_many_are_kept_and_what_is_forgotten_is_never_told_again() -> None:
    bursts, total = Bursts(), 0
    for number in range(KEPT + 1):
        total += sum(end - begin for begin, end in bursts.add(number * 1000, number * 1000 + 10))
    assert total == (KEPT + 1) * ROUNDED_MS
    assert len(bursts.export()) <= KEPT
    # One that lasted since the first of them: before the floor nothing is told, after it the gaps alone.
    more = sum(end - begin for begin, end in bursts.add(0, (KEPT + 1) * 1000))
    assert more < (KEPT + 1) * 1000 - bursts.floor_ms + ROUNDED_MS


def test_order_of_requests_changes_the_sum_by_less_than_a_step_each() -> None:
    drawn = random.Random(7)
    some = [(begin, begin + drawn.randrange(400)) for begin in (drawn.randrange(20_000) for _ in range(200))]
    in_order = told(*sorted(some, key=lambda each: each[1]))
    assert abs(told(*some) - in_order) < ROUNDED_MS * len(some)

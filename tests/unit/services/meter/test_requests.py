"""Requests are counted exactly, and a service that makes many values of labels gets no more than its room."""

from __future__ import annotations

from collections import Counter
from typing import Any

from runyard.contracts import RequestLine, decode, encode
from services.meter.requests import BOUNDS_S, IDLE_MS, MOST_SAMPLES, OTHER, RequestCounts, RequestState, RevisionCounts

from .story import START, line


def taken(*given: dict[str, Any]) -> RequestCounts:
    counts = RequestCounts(RequestState())
    for each in given:
        counts.take(decode(RequestLine, line(each.pop("at_ms", START), **each)))
    return counts


def statuses(counts: RequestCounts) -> dict[tuple[str, str], int]:
    return {(each.revision, code): count for each in counts.revisions() for code, count in each.statuses}


def test_request_is_counted_with_its_revision_its_status_and_its_sums() -> None:
    counts = taken({}, {"status": 503, "duration_s": 3.0, "held_s": 2.5, "retries": 2}, {"service": "cart"})
    cart, web = counts.revisions()
    assert (cart.service, dict(cart.statuses)) == ("cart", {"200": 1})
    assert web == RevisionCounts(
        *("shop", "web", "web-1", START), (("200", 1), ("503", 1)), web.buckets, 3_050_000, 2_500_000, 2, 200, 2000
    )
    by_bound = dict(zip((*BOUNDS_S, "more"), web.buckets, strict=True))
    assert {bound: count for bound, count in by_bound.items() if count} == {0.05: 1, 5.0: 1}


def test_durations_at_a_bound_are_within_it_and_longer_ones_above_all() -> None:
    (web,) = taken({"duration_s": 0.005}, {"duration_s": 60.0}, {"duration_s": 60.001}).revisions()
    assert (web.buckets[0], web.buckets[-2], web.buckets[-1]) == (1, 1, 1)


def test_what_the_gateway_answered_for_nobody_is_counted_too() -> None:
    (nobody,) = taken({"tenant": "", "service": "", "revision": "", "status": 404}).revisions()
    assert (nobody.tenant, nobody.service, nobody.revision, nobody.statuses) == ("", "", "", (("404", 1),))


def test_counts_that_were_kept_and_read_again_go_on() -> None:
    lines = [{"status": 200 + number % 7, "revision": f"web-{number % 40}"} for number in range(900)]
    whole, half = taken(*map(dict, lines)), taken(*map(dict, lines[:450]))
    again = RequestCounts(decode(RequestState, encode(half.export())))
    for each in lines[450:]:
        again.take(decode(RequestLine, line(START, **each)))
    assert again.export() == whole.export()


def test_statuses_beyond_the_room_are_counted_as_other_and_none_is_lost() -> None:
    counts = taken(*({"status": 100 + number % 900} for number in range(2000)))
    (web,) = counts.revisions()
    found = dict(web.statuses)
    assert sum(found.values()) == 2000
    assert len(found) + len(BOUNDS_S) <= MOST_SAMPLES + 1
    (folded,) = counts.export().folded
    assert folded.requests == found[OTHER] > 0


def test_revisions_beyond_the_room_are_counted_as_other() -> None:
    counts = taken(*({"revision": f"web-{number}"} for number in range(300)))
    found = statuses(counts)
    assert sum(found.values()) == 300
    assert found[OTHER, OTHER] == counts.export().folded[0].requests > 200
    assert len(found) < 30


def test_one_service_that_fills_its_room_takes_none_from_others() -> None:
    many = [{"revision": f"web-{number}"} for number in range(300)]
    counts = taken(*many, {"service": "cart", "revision": "cart-1"})
    (cart,) = [each for each in counts.revisions() if each.service == "cart"]
    assert (cart.revision, cart.statuses) == ("cart-1", (("200", 1),))


def test_revision_that_nobody_calls_makes_room_for_another() -> None:
    first = [{"revision": f"web-{number}", "at_ms": START + number} for number in range(300)]
    counts = taken(*first, {"revision": "web-new", "at_ms": START + IDLE_MS + 1_000})
    found = statuses(counts)
    assert ("web-new", "200") in found
    assert ("web-0", "200") not in found
    totals = Counter({key: count for key, count in found.items() if key[0] == OTHER})
    # What was counted as other stays so: moved, it would be counted twice by whoever looks at growth.
    assert totals.total() == counts.export().folded[0].requests


def test_buckets_of_other_bounds_keep_their_sum() -> None:
    old = RevisionCounts("shop", "web", "web-1", START, (("200", 5),), (2, 3))
    (again,) = RequestCounts(RequestState((old,))).revisions()
    assert (sum(again.buckets), again.buckets[-1]) == (5, 5)

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runyard.contracts import RolloutRequest, ScalingDocument, VolumeDocument
from services.orchestrator.scaling.capacity import desired_count, matching_count, most_instances, proving_count

from ..world import document

SPEC = document()
REQUEST = RolloutRequest("shop", "web", ())


def desired(spec: int, percent: int, **request: Any) -> int:
    return desired_count(replace(SPEC, min_instances=spec), replace(REQUEST, **request), percent)


def test_revision_keeps_its_minimum_and_sleeps_without_one() -> None:
    assert [desired(count, 100) for count in (0, 1, 3)] == [0, 1, 3]
    assert desired(0, 0) == 0


@pytest.mark.parametrize(("percent", "count"), [(100, 4), (50, 2), (51, 3), (1, 1), (0, 0)])
def test_service_minimum_is_divided_by_share_and_rounded_up(percent: int, count: int) -> None:
    assert desired(0, percent, min_instances=4) == count


def test_revision_minimum_holds_where_the_service_wants_less() -> None:
    assert desired(3, 50, min_instances=4) == 3


def test_service_maximum_cuts_the_service_minimum_and_not_the_revisions() -> None:
    assert desired(0, 100, min_instances=9, max_instances=5) == 5
    assert desired(7, 100, min_instances=9, max_instances=5) == 7


@pytest.mark.parametrize(("percent", "count"), [(100, 6), (50, 3), (0, 1)])
def test_count_by_hand_is_exact_whatever_the_minimum(percent: int, count: int) -> None:
    assert desired(2, percent, manual_instances=6, min_instances=9) == count


def test_count_of_zero_by_hand_is_none() -> None:
    assert desired(2, 100, manual_instances=0) == 0


@pytest.mark.parametrize(
    ("percent", "serving", "count"), [(100, 5, 5), (50, 5, 3), (1, 5, 1), (100, 0, 2), (100, 200, 9)]
)
def test_taking_over_needs_the_capacity_of_now_by_share_within_the_maximum(
    percent: int, serving: int, count: int
) -> None:
    spec = replace(SPEC, min_instances=0 if percent < 100 or serving else 2, max_instances=9)
    assert matching_count(spec, REQUEST, percent, serving) == count


@pytest.mark.parametrize(("serving", "count"), [(0, 2), (1, 2), (5, 5)])
def test_new_revision_is_proved_with_its_initial_scale(serving: int, count: int) -> None:
    spec = replace(SPEC, scaling=ScalingDocument(initial_instances=2))
    assert proving_count(spec, REQUEST, 100, serving) == count


def test_taking_over_by_hand_needs_what_the_hand_says() -> None:
    assert matching_count(SPEC, replace(REQUEST, manual_instances=2), 100, serving=8) == 2


@pytest.mark.parametrize(
    ("own", "service", "most"),
    [((4,), 0, 4), ((4, 3), 0, 7), ((4, 3), 5, 5), ((0,), 0, None), ((0,), 5, 5), ((4, 0), 0, None), ((), 0, None)],
)
def test_service_may_grow_to_what_its_manifest_allows_in_all(own: tuple[int, ...], service: int, most: int) -> None:
    specs = [replace(SPEC, max_instances=count) for count in own]
    assert most_instances(specs, replace(REQUEST, max_instances=service)) == most


def test_service_with_a_persistent_volume_never_grows() -> None:
    spec = replace(SPEC, max_instances=4, volumes=(VolumeDocument("data", "persistent", 2**20),))
    assert most_instances([spec], REQUEST) == 1

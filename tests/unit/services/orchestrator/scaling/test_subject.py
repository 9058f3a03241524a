from __future__ import annotations

from typing import Any

import pytest

from runyard.contracts import TrafficShare, VolumeDocument
from runyard.scaling.counts import Span
from services.orchestrator.model.revision import Revision
from services.orchestrator.scaling.subject import Subject, subjects
from services.orchestrator.traffic.commitment import Commitment

from ..world import document


def spans(shares: dict[str, int], spec: dict[str, Any] | None = None, **service: Any) -> dict[str, tuple[int, Any]]:
    traffic = tuple(TrafficShare(name, percent) for name, percent in shares.items())
    revisions = {f"default/{name}": Revision(document(name, **(spec or {}))) for name in shares}
    found = subjects([Commitment("default", "hello", traffic, **service)], revisions)
    return {key.partition("/")[2]: (each.span.least, each.span.most) for key, each in found.items()}


def test_revision_that_asks_for_nothing_may_sleep_and_grow_without_limit() -> None:
    assert spans({"hello-1": 100}, {"max_instances": 0}) == {"hello-1": (0, None)}


def test_minimum_and_maximum_of_a_revision_are_its_own() -> None:
    assert spans({"hello-1": 100}, {"min_instances": 2, "max_instances": 5}) == {"hello-1": (2, 5)}


@pytest.mark.parametrize(
    ("shares", "most", "expected"),
    [
        ({"hello-1": 100}, 4, {"hello-1": 4}),
        ({"hello-1": 50, "hello-2": 50}, 4, {"hello-1": 2, "hello-2": 2}),
        ({"hello-1": 75, "hello-2": 25}, 6, {"hello-1": 4, "hello-2": 2}),
        # A tagged revision without a share can be reached by its tag.
        ({"hello-1": 100, "hello-2": 0}, 4, {"hello-1": 3, "hello-2": 1}),
        ({"hello-1": 90, "hello-2": 10}, 1, {"hello-1": 1, "hello-2": 1}),
    ],
)
def test_maximum_of_a_service_is_divided_and_never_exceeded(
    shares: dict[str, int], most: int, expected: dict[str, int]
) -> None:
    found = spans(shares, max_instances=most)
    assert {name: span[1] for name, span in found.items()} == expected
    assert sum(expected.values()) == max(most, len(shares))


def test_revisions_own_maximum_counts_below_its_part_of_the_services() -> None:
    assert spans({"hello-1": 100}, {"max_instances": 2}, max_instances=9) == {"hello-1": (0, 2)}


def test_count_by_hand_leaves_nothing_to_the_load() -> None:
    assert spans({"hello-1": 100}, manual_instances=3, max_instances=1) == {"hello-1": (3, 3)}


def test_volume_has_one_writer_whatever_the_load() -> None:
    volumes = {"volumes": (VolumeDocument("data", "persistent", 1),)}
    assert spans({"hello-1": 100}, volumes) == {"hello-1": (0, 1)}
    assert spans({"hello-1": 100}, {**volumes, "min_instances": 3}, min_instances=9) == {"hello-1": (1, 1)}


def test_revision_whose_document_cannot_be_read_is_left_as_it_is() -> None:
    assert subjects([Commitment("default", "hello", (TrafficShare("hello-1", 100),))], {}) == {}


@pytest.mark.parametrize(("span", "sleeps"), [(Span(0, None), True), (Span(0, 0), False), (Span(1, 3), False)])
def test_revision_sleeps_where_nothing_is_asked_for_and_something_allowed(span: Span, sleeps: bool) -> None:
    settings = next(iter(subjects([Commitment("default", "hello", (TrafficShare("hello-1", 100),))],
                                  {"default/hello-1": Revision(document())}).values())).settings  # fmt: skip
    assert Subject(settings, span).sleeps is sleeps


@pytest.mark.parametrize(("count", "held"), [(0, 1), (2, 2), (9, 3)])
def test_count_is_held_within_the_span(count: int, held: int) -> None:
    settings = subjects(
        [Commitment("default", "hello", (TrafficShare("hello-1", 100),))], {"default/hello-1": Revision(document())}
    )["default/hello-1"].settings
    assert Subject(settings, Span(1, 3)).within(count) == held
    assert Subject(settings, Span(1, None)).within(count) == max(1, count)


def test_subject_has_its_services_priority_and_what_an_instance_may_take() -> None:
    revision = Revision(document("hello-1"))
    commitment = Commitment("default", "hello", (TrafficShare("hello-1", 100),), priority=9)
    found = subjects([commitment], {"default/hello-1": revision})["default/hello-1"]
    assert (found.tenant, found.priority, found.memory_bytes) == ("default", 9, revision.spec.memory_bytes)

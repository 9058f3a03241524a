"""Counts of instances: what revisions keep, need and may have, and that service and revisions agree."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.contracts import RolloutRequest, ScalingDocument, VolumeDocument
from runyard.scaling.counts import (
    Settings,
    Span,
    desired_count,
    matching_count,
    part_of,
    proving_count,
    revision_span,
    service_bound,
    service_span,
    settings_of,
    with_most,
    with_scheduled,
)
from tests.unit.services.orchestrator.world import document

COUNTS = st.integers(0, 30)
SETTINGS = st.builds(
    Settings,
    one_writer=st.booleans(),
    least=COUNTS,
    most=COUNTS,
    service_least=COUNTS,
    service_most=COUNTS,
    by_hand=st.none() | COUNTS,
)


def test_part_of_a_count_is_rounded_up() -> None:
    assert [part_of(10, percent) for percent in (0, 1, 50, 51, 100)] == [0, 1, 5, 6, 10]


@given(COUNTS, st.integers(0, 100))
def test_parts_of_a_count_are_together_never_too_few(count: int, percent: int) -> None:
    assert count <= part_of(count, percent) + part_of(count, 100 - percent) <= count + 1


@pytest.mark.parametrize(
    ("settings", "percent", "count"),
    [
        (Settings(), 100, 0),
        (Settings(least=3), 1, 3),
        (Settings(service_least=4), 51, 3),
        # The revision's own minimum is never cut, a part of the service's is.
        (Settings(least=7, most=5), 100, 7),
        (Settings(most=3, service_least=9), 100, 3),
        (Settings(service_least=9, service_most=5), 100, 5),
        (Settings(least=2, by_hand=6), 50, 3),
        (Settings(by_hand=6), 0, 1),
        (Settings(least=2, by_hand=0), 100, 0),
        # A volume has one writer, whatever anybody asks for.
        (Settings(least=3, service_least=9, one_writer=True), 100, 1),
        (Settings(by_hand=6, one_writer=True), 100, 1),
        (Settings(by_hand=0, one_writer=True), 100, 0),
    ],
)
def test_desired_count(settings: Settings, percent: int, count: int) -> None:
    assert desired_count(settings, percent) == count


@pytest.mark.parametrize(
    ("settings", "percent", "count"),
    [
        (Settings(), 100, 0),
        (Settings(one_writer=True), 100, 0),
        (Settings(least=3), 0, 3),
        (Settings(service_least=4), 51, 3),
        (Settings(service_least=4), 0, 0),
        # Nobody wakes what is set by hand, so one that is named is there.
        (Settings(by_hand=6), 0, 1),
        (Settings(by_hand=0), 100, 0),
    ],
)
def test_revision_that_may_sleep_keeps_what_is_asked_for(settings: Settings, percent: int, count: int) -> None:
    assert desired_count(settings, percent) == count
    assert revision_span(settings, percent).least == count


@pytest.mark.parametrize(
    ("settings", "serving", "count"),
    [
        (Settings(), 0, 1),
        (Settings(initial=4), 0, 4),
        (Settings(initial=4), 6, 6),
        (Settings(initial=4, most=3), 0, 3),
        # What has not answered gets no traffic.
        (Settings(initial=0), 0, 1),
        (Settings(initial=4, one_writer=True), 0, 1),
        (Settings(initial=4, by_hand=2), 0, 2),
        (Settings(initial=4, by_hand=0), 0, 0),
    ],
)
def test_new_revision_is_proved_with_its_initial_scale(settings: Settings, serving: int, count: int) -> None:
    assert proving_count(settings, 100, serving) == count


@pytest.mark.parametrize(
    ("settings", "percent", "serving", "count"),
    [
        (Settings(), 50, 5, 3),
        (Settings(most=2), 100, 5, 2),
        (Settings(service_most=4), 100, 5, 4),
        (Settings(least=6), 100, 5, 6),
        (Settings(by_hand=2), 100, 8, 2),
        (Settings(one_writer=True), 100, 8, 1),
    ],
)
def test_matching_count(settings: Settings, percent: int, serving: int, count: int) -> None:
    assert matching_count(settings, percent, serving) == count


@pytest.mark.parametrize(
    ("settings", "kept", "span"),
    [
        (Settings(most=9), 1, Span(1, 9)),
        (Settings(most=9), 0, Span(0, 9)),
        (Settings(least=2), 1, Span(2, None)),
        # The part of the service's minimum counts in full, so that no quota is ever asked for too little.
        (Settings(most=3, service_least=10), 1, Span(5, 5)),
        (Settings(least=2, by_hand=6), 0, Span(3, 3)),
    ],
)
def test_span_of_a_revision_at_half_of_the_traffic(settings: Settings, kept: int, span: Span) -> None:
    assert revision_span(settings, 50, kept) == span


@pytest.mark.parametrize(
    ("settings", "span"),
    [
        (Settings(most=3), Span(0, 6)),
        (Settings(most=3, service_most=4), Span(0, 4)),
        # Each revision can have an instance in any case.
        (Settings(most=3, service_most=1), Span(0, 2)),
        (Settings(service_least=5), Span(5, None)),
        (Settings(by_hand=5), Span(5, 5)),
        (Settings(by_hand=0), Span(0, 0)),
    ],
)
def test_span_of_a_service_with_two_revisions(settings: Settings, span: Span) -> None:
    assert service_span(settings, (80, 20)) == span


def test_bound_of_a_service_leaves_each_revision_an_instance() -> None:
    assert [service_bound(4, 2), service_bound(1, 2)] == [4, 2]


@given(SETTINGS, st.integers(0, 100), st.integers(0, 1))
def test_what_a_revision_keeps_is_never_more_than_its_span_says(settings: Settings, percent: int, kept: int) -> None:
    span = revision_span(settings, percent, kept)
    desired = desired_count(settings, percent)
    assert desired <= span.least
    assert span.most is None or span.least <= span.most


@given(SETTINGS)
def test_service_of_one_revision_spans_what_its_revision_does_within_its_own_maximum(settings: Settings) -> None:
    alone, service = revision_span(settings, 100), service_span(settings, (100,))
    assert service.least == alone.least
    if not settings.service_most or settings.by_hand is not None:
        assert service == alone


def test_settings_are_those_of_the_document_and_of_the_rollout() -> None:
    rollout = RolloutRequest("shop", "web", (), min_instances=3, max_instances=4, manual_instances=5)
    spec = document()
    assert settings_of(spec, rollout) == Settings(spec.min_instances, spec.max_instances, 3, 4, 5)
    assert [settings_of(spec, with_scheduled(rollout, each)).service_least for each in (2, 5)] == [3, 5]
    writing = dataclasses.replace(spec, volumes=(VolumeDocument("data", "persistent", 1024),))
    assert settings_of(writing, rollout).one_writer


@pytest.mark.parametrize(
    ("most", "counts"), [(0, (4, 0)), (1, (1, 1)), (4, (4, 4)), (9, (4, 5))], ids=["none", "fewer", "as many", "more"]
)
def test_rollout_that_may_have_fewer_is_held_to_them_by_hand_too(most: int, counts: tuple[int, int]) -> None:
    rollout = RolloutRequest("shop", "web", (), min_instances=3, max_instances=4, manual_instances=5)
    held = with_most(rollout, most)
    assert (held.max_instances, held.manual_instances) == counts
    unbounded = with_most(dataclasses.replace(rollout, max_instances=0, manual_instances=None), most)
    assert (unbounded.max_instances, unbounded.manual_instances) == ((0, 0) if most == 0 else (most, None))


@pytest.mark.parametrize(("freezes", "held"), [(False, 0), (True, 1)])
def test_revision_that_freezes_holds_an_instance_while_it_sleeps(freezes: bool, held: int) -> None:
    settings = Settings(freezes=freezes)
    assert revision_span(settings, 100, settings.held).least == held
    # It runs no more than another: the load alone wakes it.
    assert desired_count(settings, 100) == 0


def test_idle_mode_is_the_documents() -> None:
    spec = document(scaling=ScalingDocument(idle="freeze"))
    assert settings_of(spec, RolloutRequest("shop", "web", ())).freezes

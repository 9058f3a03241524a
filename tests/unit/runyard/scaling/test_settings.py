"""Settings: targets become amounts of a revision's instances, and what nobody says has a default."""

from __future__ import annotations

import pytest

from runyard.contracts import RevisionDocument, ScalingDocument, ScalingSignal, decode, encode
from runyard.scaling.settings import scaling_settings
from tests.unit.services.orchestrator.world import container, document


def test_without_a_word_concurrency_and_cpu_count_at_seventy_percent() -> None:
    settings = scaling_settings(document(concurrency=80))
    assert [(each.kind, each.target) for each in settings.signals] == [
        ("concurrency", 56.0),
        ("cpu", pytest.approx(700.0)),
    ]
    assert (settings.capacity, settings.window_s, settings.panic_window_s, settings.panic_ratio) == (80, 60, 6, 2.0)
    assert (settings.hold_s, settings.idle_s, settings.calm_s) == (300, 60, 60)


@pytest.mark.parametrize(
    ("signal", "target"),
    [
        (ScalingSignal("concurrency", 10.0, 0.7), 7.0),
        # An instance takes no more than 80.
        (ScalingSignal("concurrency", 200.0, 0.5), 40.0),
        (ScalingSignal("concurrency", 0.01, 0.5), 0.01),
        (ScalingSignal("rps", 200.0, 0.5), 100.0),
        (ScalingSignal("cpu", 1.0, 0.6), 600.0),
    ],
)
def test_target_is_the_part_that_is_aimed_at(signal: ScalingSignal, target: float) -> None:
    settings = scaling_settings(document(concurrency=80, scaling=ScalingDocument(signals=(signal,))))
    assert settings.signals[0].target == pytest.approx(target)


def test_instances_that_take_any_number_are_to_have_seventy() -> None:
    settings = scaling_settings(document(concurrency=0))
    assert (settings.signals[0].target, settings.capacity) == (70.0, 100)


def test_what_the_document_says_counts() -> None:
    scaling = ScalingDocument(
        signals=(ScalingSignal("memory", 0.5), ScalingSignal("rps", 30.0)),
        window_s=10,
        panic_window_percent=1.0,
        panic_threshold_percent=150.0,
        scale_down_delay_s=20,
        retention_s=30,
        activation_instances=4,
        aggregation="weighted-exponential",
    )
    told = document("web-1", container(memory_bytes=1000), scaling=scaling)
    settings = scaling_settings(decode(RevisionDocument, encode(told)))
    assert [each.target for each in settings.signals] == [500.0, 30.0]
    # A window has a grain of a second.
    assert (settings.panic_window_s, settings.panic_ratio, settings.activation) == (1, 1.5, 4)
    assert (settings.hold_s, settings.idle_s, settings.calm_s) == (70, 60, 30)
    assert settings.aggregation == "weighted-exponential"

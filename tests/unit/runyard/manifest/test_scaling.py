"""Scaling of a template: each annotation's owner brings his defaults, and each signal has a target for one instance."""

from __future__ import annotations

import pytest

from runyard.contracts import ScalingSignal
from runyard.manifest.scaling import build_scaling

MIB = 1 << 20
AUTO = "autoscaling.knative.dev/"
RUN = "run.googleapis.com/scaling-"


@pytest.mark.parametrize(
    ("annotations", "concurrency", "signals"),
    [
        ({}, 80, []),
        # Knative: 70 % of the target, which is what an instance takes at once, or 100.
        ({AUTO + "metric": "concurrency"}, 80, [("concurrency", 80.0, 0.7)]),
        ({AUTO + "metric": "concurrency"}, 0, [("concurrency", 100.0, 0.7)]),
        ({AUTO + "target": "10"}, 80, [("concurrency", 10.0, 0.7)]),
        ({AUTO + "target": "200"}, 80, [("concurrency", 200.0, 0.7)]),
        ({AUTO + "target-utilization-percentage": "50"}, 10, [("concurrency", 10.0, 0.5)]),
        ({AUTO + "metric": "rps"}, 80, [("rps", 200.0, 0.7)]),
        ({AUTO + "metric": "rps", AUTO + "target": "30"}, 80, [("rps", 30.0, 0.7)]),
        # Kubernetes' own autoscaler has no share of a target.
        ({AUTO + "metric": "cpu"}, 80, [("cpu", 0.8, 1.0)]),
        ({AUTO + "class": "hpa.autoscaling.knative.dev"}, 80, [("cpu", 0.8, 1.0)]),
        ({AUTO + "class": "kpa.autoscaling.knative.dev"}, 80, []),
        ({AUTO + "metric": "cpu", AUTO + "target": "65"}, 80, [("cpu", 0.65, 1.0)]),
        ({AUTO + "metric": "memory"}, 80, [("memory", 0.8, 1.0)]),
        ({AUTO + "metric": "memory", AUTO + "target": "256"}, 80, [("memory", 0.5, 1.0)]),
        # Cloud Run: both, each at 60 % where it is not said.
        ({RUN + "cpu-target": "75%"}, 80, [("concurrency", 80.0, 0.6), ("cpu", 1.0, 0.75)]),
        ({RUN + "concurrency-target": "0.5"}, 0, [("concurrency", 100.0, 0.5), ("cpu", 1.0, 0.6)]),
        (
            {RUN + "cpu-target": "0.5", AUTO + "metric": "rps"},
            10,
            [("concurrency", 10.0, 0.6), ("cpu", 1.0, 0.5), ("rps", 200.0, 0.7)],
        ),
    ],
)
def test_signals_of_annotations(
    annotations: dict[str, str], concurrency: int, signals: list[tuple[str, float, float]]
) -> None:
    built = build_scaling(annotations, 100, concurrency, 512 * MIB)
    assert built.signals == tuple(ScalingSignal(*each) for each in signals)  # type: ignore[arg-type]


def test_times_that_are_said_as_they_are_by_default_are_no_difference() -> None:
    said = {AUTO + "window": "1m", AUTO + "panic-window-percentage": "10", AUTO + "scale-down-delay": "0s"}
    assert build_scaling(said, 100, 80, 512 * MIB) == build_scaling({}, 100, 80, 512 * MIB)

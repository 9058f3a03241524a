"""Scaling of a revision as its document says it: by which signals instances are counted, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SignalKind = Literal["concurrency", "rps", "cpu", "memory"]
Aggregation = Literal["linear", "weighted-exponential"]
IdleMode = Literal["stop", "freeze"]

# Knative's defaults (pkg/autoscaler/config: stable-window, panic-window-percentage, panic-threshold-percentage).
WINDOW_S = 60
PANIC_WINDOW_PERCENT = 10.0
PANIC_THRESHOLD_PERCENT = 200.0
# Of a service that says nothing: in the middle of 0 to 9, so that others may have less.
PRIORITY = 5


@dataclass(frozen=True, slots=True)
class ScalingSignal:
    """What one instance is to have: requests at once or a second, or parts of its CPU or memory limit.

    `utilization` is the part of the target that is aimed at. Of requests at once, an instance that takes fewer is to
    have that part of those.
    """

    kind: SignalKind
    target: float
    utilization: float = 1.0


@dataclass(frozen=True, slots=True)
class ScalingDocument:
    """What decides how many instances a revision has, but for the fewest and the most.

    Of several `signals` the one that asks for most decides; none stand for those of `runyard.scaling.settings`. The
    panic window is a percentage of the window, the panic threshold one of what the ready instances are to have. What is
    `idle` stops, or is frozen: one instance keeps its memory and gets no CPU, and wakes the sooner.
    """

    signals: tuple[ScalingSignal, ...] = ()
    window_s: int = WINDOW_S
    panic_window_percent: float = PANIC_WINDOW_PERCENT
    panic_threshold_percent: float = PANIC_THRESHOLD_PERCENT
    scale_down_delay_s: int = 0
    retention_s: int = 0
    initial_instances: int = 1
    activation_instances: int = 1
    aggregation: Aggregation = "linear"
    idle: IdleMode = "stop"


@dataclass(frozen=True, slots=True)
class ScheduledMinimum:
    """Fewest instances of a service from the moments of a cron expression on, in this zone of the tz database."""

    instances: int
    cron: str
    zone: str = "UTC"

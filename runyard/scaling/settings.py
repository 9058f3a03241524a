"""Settings of the decision: what a revision's document says of signals and times, every default filled in; pure."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.contracts import RevisionDocument, ScalingSignal
from runyard.contracts.scaling import Aggregation

# Without a word in the manifest: the middle of the 60 to 80 % of what an instance can take that steady load should
# keep it at. It is Knative's target-utilization-percentage; Cloud Run's 60 % counts where its annotations stand.
UTILIZATION = 0.7
# Requests at once of an instance that takes any number (Knative: container-concurrency-target-default).
UNBOUNDED_CONCURRENCY = 100


# How long an instance that nobody wants is kept: long enough for the gateway to have moved every request that was
# on its way to it, and for a roll-back made at once to find it still there.
SURPLUS_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class ScalingSettings:
    """What the decision knows of a revision; times in seconds, targets for each instance.

    The targets of `signals` are requests in flight and waiting (concurrency), requests a second (rps), thousandths of
    a core (cpu) and bytes (memory). `capacity` is what an instance takes at once, `panic_ratio` the need, in parts of
    the ready instances, that counts at once.
    """

    signals: tuple[ScalingSignal, ...]
    capacity: float
    window_s: int = 60
    panic_window_s: int = 6
    panic_ratio: float = 2.0
    scale_down_delay_s: int = 0
    retention_s: int = 0
    activation: int = 1
    aggregation: Aggregation = "linear"

    @property
    def calm_s(self) -> int:
        """How long the load must be lower before instances are removed."""
        return self.window_s + self.scale_down_delay_s

    @property
    def hold_s(self) -> int:
        """How long the load must be lower on the whole before a few of many instances are removed."""
        return HOLD_WINDOWS * self.window_s + self.scale_down_delay_s

    @property
    def idle_s(self) -> int:
        """How long there must be no request before the last instance is removed."""
        return self.calm_s + self.retention_s


# Knative's smallest target (autoscaling.TargetMin).
TARGET_MIN = 0.01
# Five windows of a minute: load that saws at a threshold turns at most once in five minutes.
HOLD_WINDOWS = 5


def scaling_settings(document: RevisionDocument) -> ScalingSettings:
    """Give what a revision's document says to the decision; targets become amounts of its instances."""
    scaling = document.scaling
    signals = scaling.signals or default_signals(document.concurrency)
    return ScalingSettings(
        signals=tuple(ScalingSignal(each.kind, _amount(each, document)) for each in signals),
        capacity=document.concurrency or UNBOUNDED_CONCURRENCY,
        window_s=scaling.window_s,
        # A window has a grain of a second.
        panic_window_s=max(1, round(scaling.window_s * scaling.panic_window_percent / 100)),
        panic_ratio=scaling.panic_threshold_percent / 100,
        scale_down_delay_s=scaling.scale_down_delay_s,
        retention_s=scaling.retention_s,
        activation=scaling.activation_instances,
        aggregation=scaling.aggregation,
    )


def default_signals(concurrency: int) -> tuple[ScalingSignal, ...]:
    """Give the signals of a revision that says nothing: its concurrency and its CPU, as on Cloud Run."""
    at_once = float(concurrency or UNBOUNDED_CONCURRENCY)
    return (ScalingSignal("concurrency", at_once, UTILIZATION), ScalingSignal("cpu", 1.0, UTILIZATION))


def _amount(signal: ScalingSignal, document: RevisionDocument) -> float:
    target = signal.target
    if signal.kind == "cpu":
        target *= document.cpu_millis
    elif signal.kind == "memory":
        target *= document.memory_bytes
    elif signal.kind == "concurrency" and document.concurrency:
        target = min(target, document.concurrency)
    return max(TARGET_MIN, target * signal.utilization)

"""Scaling of a template: Knative's and Cloud Run's annotations turned into signals with one target for each instance.

Whose annotation stands, his defaults count: Cloud Run's scale by concurrency and CPU at 60 %, Knative's by one metric
at 70 % of its target. Of several the largest need decides. Where none stands, no signal is said, and
`runyard.scaling.settings` has the defaults.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runyard.contracts import ScalingSignal
from runyard.manifest.model import Idle, RevisionTemplate, Scaling
from runyard.manifest.raw import Raw
from runyard.manifest.rules_annotations import AUTOSCALING, CLOUD_RUN, RUNYARD, parse_fraction
from runyard.scaling.settings import UNBOUNDED_CONCURRENCY
from runyard.units import parse_duration_s

# Knative: config-autoscaler's requests-per-second-target-default.
RPS_TARGET = 200
# What Kubernetes' own autoscaler aims at where the class is hpa and no target is given.
HPA_CPU_PERCENT = 80
HPA_MEMORY_FRACTION = 0.8
_MIB = 1 << 20
_IDLE, _RETENTION = RUNYARD + "idle", AUTOSCALING + "scale-to-zero-pod-retention-period"
_CPU_TARGET, _CONCURRENCY_TARGET = (f"{CLOUD_RUN}scaling-{name}-target" for name in ("cpu", "concurrency"))
_KNATIVE = ("metric", "target", "target-utilization-percentage")


def build_scaling(annotations: Raw, default_max: int, concurrency: int, memory_bytes: int) -> Scaling:
    """Build the scaling of a template from its annotations, which have passed the schema and every rule.

    `concurrency` is what an instance takes at once, 0 for any number, and `memory_bytes` its limit.
    """
    own = {key.partition("/")[2]: value for key, value in annotations.items() if key.startswith(AUTOSCALING)}
    defaults = Scaling()
    least = int(own.get("minScale", own.get("min-scale", 0)))
    # The default is no reason to refuse a larger minimum.
    most = int(own.get("maxScale", own.get("max-scale", max(default_max, least))))
    at_once = concurrency or UNBOUNDED_CONCURRENCY
    return Scaling(
        min_scale=least,
        max_scale=most,
        signals=(*_cloud_run_signals(annotations, at_once), *_knative_signals(own, concurrency, memory_bytes)),
        window_s=parse_duration_s(own.get("window", f"{defaults.window_s}s")),
        panic_window_percentage=float(own.get("panic-window-percentage", defaults.panic_window_percentage)),
        panic_threshold_percentage=float(own.get("panic-threshold-percentage", defaults.panic_threshold_percentage)),
        scale_down_delay_s=parse_duration_s(own.get("scale-down-delay", "0s")),
        retention_period_s=parse_duration_s(own.get("scale-to-zero-pod-retention-period", "0s")),
        initial_scale=int(own.get("initial-scale", defaults.initial_scale)),
        activation_scale=int(own.get("activation-scale", defaults.activation_scale)),
        aggregation=own.get("metric-aggregation-algorithm", defaults.aggregation),
        idle=annotations.get(_IDLE, defaults.idle),
    )


def with_idle(template: RevisionTemplate, idle: Idle) -> RevisionTemplate:
    """Give a template with the Platform's word on what nobody calls where its annotations have none."""
    said, scaling = template.annotations, template.scaling
    chosen = replace(
        scaling,
        idle=scaling.idle if _IDLE in said else idle.mode,
        retention_period_s=scaling.retention_period_s if _RETENTION in said else idle.retention_s,
    )
    return template if chosen == scaling else replace(template, scaling=chosen)


def _cloud_run_signals(annotations: Raw, at_once: int) -> tuple[ScalingSignal, ...]:
    if not annotations.keys() & {_CPU_TARGET, _CONCURRENCY_TARGET}:
        return ()
    concurrency, cpu = (
        float(parse_fraction(annotations.get(name, "0.6"))) for name in (_CONCURRENCY_TARGET, _CPU_TARGET)
    )
    return (_signal("concurrency", at_once, concurrency), _signal("cpu", 1, cpu))


def _knative_signals(own: Raw, concurrency: int, memory_bytes: int) -> tuple[ScalingSignal, ...]:
    by_hpa = own.get("class", "").startswith("hpa.")
    if not by_hpa and not own.keys() & set(_KNATIVE):
        return ()
    metric = own.get("metric", "cpu" if by_hpa else "concurrency")
    target = float(own["target"]) if "target" in own else None
    used = float(own.get("target-utilization-percentage", 70)) / 100
    if metric == "cpu":
        return (_signal("cpu", (HPA_CPU_PERCENT if target is None else target) / 100),)
    if metric == "memory":
        fraction = HPA_MEMORY_FRACTION if target is None or not memory_bytes else target * _MIB / memory_bytes
        return (_signal("memory", fraction),)
    if metric == "rps":
        return (_signal("rps", RPS_TARGET if target is None else target, used),)
    return (_signal("concurrency", concurrency or UNBOUNDED_CONCURRENCY if target is None else target, used),)


def _signal(kind: Any, target: float, utilization: float = 1) -> ScalingSignal:
    # Rounded, so that one target that is said in two ways has one name.
    return ScalingSignal(kind, round(float(target), 6), round(float(utilization), 6))

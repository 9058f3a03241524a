"""Rules of annotations: where each belongs, the ranges of their values, and what excludes what."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import (
    CONTAINERS,
    SERVICE_ANNOTATIONS,
    TEMPLATE_ANNOTATIONS,
    Raw,
    mapping_at,
    mappings_at,
    text_at,
)
from runyard.manifest.rules_resources import parse_limit
from runyard.manifest.schema import closest, known_annotations
from runyard.units import parse_duration_s

AUTOSCALING = "autoscaling.knative.dev/"
CLOUD_RUN = "run.googleapis.com/"
KNATIVE = "serving.knative.dev/"
RUNYARD = "runyard.dev/"
PREFIXES = (AUTOSCALING, CLOUD_RUN, KNATIVE, RUNYARD)
# Kubernetes: names and values of one object's annotations together (apimachinery, TotalAnnotationSizeLimitB).
SIZE_LIMIT = 256 * 1024
# More digits than any count has, and fewer than what Python refuses to read.
_COUNT_DIGITS = 9
_HOUR_S = 3600
# Often seen in public manifests, and nothing to Cloud Run either.
_MISTAKEN = {
    CLOUD_RUN + "min-instances": AUTOSCALING + "minScale",
    CLOUD_RUN + "max-instances": AUTOSCALING + "maxScale",
    CLOUD_RUN + "min-scale": AUTOSCALING + "minScale",
    CLOUD_RUN + "max-scale": AUTOSCALING + "maxScale",
    CLOUD_RUN + "cpu": "resources.limits.cpu of the container",
    CLOUD_RUN + "memory": "resources.limits.memory of the container",
    CLOUD_RUN + "timeout": "timeoutSeconds of the template's spec",
    CLOUD_RUN + "concurrency": "containerConcurrency of the template's spec",
    CLOUD_RUN + "cpu-boost": CLOUD_RUN + "startup-cpu-boost",
    CLOUD_RUN + "gpu-type": "nodeSelector of the template's spec",
}
# Least and most of each value; a None is no bound.
_NUMBER_RANGES: dict[str, tuple[str, str | None]] = {
    AUTOSCALING + "target": ("0.01", None),
    AUTOSCALING + "target-utilization-percentage": ("1", "100"),
    AUTOSCALING + "panic-window-percentage": ("1", "100"),
    AUTOSCALING + "panic-threshold-percentage": ("110", "1000"),
    AUTOSCALING + "activation-scale": ("2", None),
    CLOUD_RUN + "scaling-cpu-target": ("0.1", "0.95"),
    CLOUD_RUN + "scaling-concurrency-target": ("0.1", "0.95"),
}
_DURATION_RANGES = {
    AUTOSCALING + "window": (6, _HOUR_S),
    AUTOSCALING + "scale-down-delay": (0, _HOUR_S),
    AUTOSCALING + "scale-to-zero-pod-retention-period": (0, _HOUR_S),
    KNATIVE + "progress-deadline": (1, None),
}


def check_annotations(service: Raw, findings: Findings) -> None:
    """Check the annotations of a Service and of its template."""
    on_service, on_template = known_annotations()
    here, there = mapping_at(service, *SERVICE_ANNOTATIONS), mapping_at(service, *TEMPLATE_ANNOTATIONS)
    _check_size(here, SERVICE_ANNOTATIONS, findings)
    _check_size(there, TEMPLATE_ANNOTATIONS, findings)
    _check_known(here, SERVICE_ANNOTATIONS, on_service, on_template, findings)
    _check_known(there, TEMPLATE_ANNOTATIONS, on_template, on_service, findings)
    _check_ranges(there, findings)
    _check_scale(here, there, findings)
    _check_metric(there, findings)
    _check_target(service, there, findings)
    _check_service(here, findings)


def parse_fraction(text: str) -> Decimal:
    """Parse `0.6` or `60%`; ValueError if it is neither."""
    try:
        value = Decimal(text[:-1]) / 100 if text.endswith("%") else Decimal(text)
    except InvalidOperation:
        raise ValueError(f"must be a number, got {text!r}") from None
    if not value.is_finite():
        raise ValueError(f"must be a number, got {text!r}")
    return value


def _check_size(annotations: Raw, base: Path, findings: Findings) -> None:
    size = sum(len(name) + len(value) for name, value in annotations.items() if type(value) is str)
    if size > SIZE_LIMIT:
        message = f"must have at most {SIZE_LIMIT} characters, names and values together, got {size}"
        findings.error(base, "annotations.size", message)


def _check_known(
    annotations: Raw, base: Path, known: frozenset[str], elsewhere: frozenset[str], findings: Findings
) -> None:
    other = TEMPLATE_ANNOTATIONS if base == SERVICE_ANNOTATIONS else SERVICE_ANNOTATIONS
    for name in annotations:
        if name in known or not name.startswith(PREFIXES):
            continue
        path = (*base, name)
        ours = name.startswith(RUNYARD)
        if name in elsewhere:
            message, hint = "has no effect here", f"put it under {'.'.join(other)}"
        else:
            message, hint = "unknown annotation, has no effect here", _suggest(name, known | elsewhere)
        if ours:
            findings.error(path, "annotations.unknown", message, hint, at_key=True)
        else:
            findings.warning(path, "annotations.unknown", message, hint)


def _suggest(name: str, known: frozenset[str]) -> str:
    if name in _MISTAKEN:
        return f"use {_MISTAKEN[name]}"
    # What stands before the slash is the same for most, and would make every name look alike.
    prefix, _, short = name.partition("/")
    near = {each.partition("/")[2]: each for each in sorted(known) if each.startswith(prefix)}
    hint = closest(short, list(near))
    return hint.replace("mean ", f"mean {prefix}/") if hint else ""


def _check_ranges(annotations: Raw, findings: Findings) -> None:
    for name in annotations.keys() & _NUMBER_RANGES.keys():
        least, most = _NUMBER_RANGES[name]
        _check_range(annotations, name, (Decimal(least), most and Decimal(most)), parse_fraction, findings)
    for name in annotations.keys() & _DURATION_RANGES.keys():
        _check_range(annotations, name, _DURATION_RANGES[name], parse_duration_s, findings)


def _check_range(
    annotations: Raw,
    name: str,
    bounds: tuple[Decimal | int, Decimal | int | str | None],
    parse: Callable[[str], Decimal | int],
    findings: Findings,
) -> None:
    text, (least, most) = annotations[name], bounds
    if type(text) is not str:
        return
    try:
        value = parse(text)
    except ValueError:
        # The schema has said what it must look like.
        return
    unit = "s" if parse is parse_duration_s else ""
    if value < least or (isinstance(most, Decimal | int) and value > most):
        rule = f"must be at least {least}{unit}" if most is None else f"must be {least}{unit} to {most}{unit}"
        findings.error((*TEMPLATE_ANNOTATIONS, name), "annotations.range", f"{rule}, got {render_value(text)}")


def _check_scale(service: Raw, template: Raw, findings: Findings) -> None:
    least = _either_spelling(template, "minScale", "min-scale", findings)
    most = _either_spelling(template, "maxScale", "max-scale", findings)
    _check_order(template, TEMPLATE_ANNOTATIONS, (least, most), findings)
    _check_order(service, SERVICE_ANNOTATIONS, (CLOUD_RUN + "minScale", CLOUD_RUN + "maxScale"), findings)


def _either_spelling(annotations: Raw, first: str, second: str, findings: Findings) -> str:
    camel, dashed = AUTOSCALING + first, AUTOSCALING + second
    if camel in annotations and dashed in annotations and annotations[camel] != annotations[dashed]:
        message = (
            f"must be equal to {camel} ({render_value(annotations[camel])}), got {render_value(annotations[dashed])}"
        )
        findings.error((*TEMPLATE_ANNOTATIONS, dashed), "scale.spelling", message, "keep one of the two")
    return camel if camel in annotations else dashed


def _check_order(annotations: Raw, base: Path, names: tuple[str, str], findings: Findings) -> None:
    least, most = (count_at(annotations, name) for name in names)
    # 0 is no limit.
    if least is not None and most is not None and 0 < most < least:
        message = f"must be at least {names[0].partition('/')[2]} ({least}), got {most}"
        findings.error((*base, names[1]), "scale.order", message)


def count_at(annotations: Raw, name: str) -> int | None:
    """Give the count that an annotation says; None where it says none, of which the schema has told."""
    text = annotations.get(name)
    if type(text) is not str or not text.isascii() or not text.isdigit() or len(text) > _COUNT_DIGITS:
        return None
    return int(text)


def _check_metric(annotations: Raw, findings: Findings) -> None:
    class_name, metric = text_at(annotations, AUTOSCALING + "class"), text_at(annotations, AUTOSCALING + "metric")
    short = class_name.partition(".")[0]
    fitting = {"kpa": ("concurrency", "rps"), "hpa": ("cpu", "memory")}.get(short)
    if fitting and metric and metric not in fitting:
        message = f"must be {' or '.join(fitting)} with the class {short}, got {render_value(metric)}"
        findings.error((*TEMPLATE_ANNOTATIONS, AUTOSCALING + "metric"), "scale.metric", message)


def _check_target(service: Raw, annotations: Raw, findings: Findings) -> None:
    """Find targets that no instance can reach, with which nothing would ever be added."""
    name, metric = AUTOSCALING + "target", text_at(annotations, AUTOSCALING + "metric")
    if name not in annotations or metric not in ("cpu", "memory"):
        return
    try:
        target = parse_fraction(annotations[name])
    except (TypeError, ValueError, AttributeError):
        # The schema has said what it must look like.
        return
    most = 100 if metric == "cpu" else _memory_mib(service)
    if most and target > most:
        unit = "percent of the CPU limit" if metric == "cpu" else "MiB, the memory limit"
        message = f"must be at most {most} ({unit}) with the metric {metric}, got {render_value(annotations[name])}"
        findings.error((*TEMPLATE_ANNOTATIONS, name), "scale.target", message)


def _memory_mib(service: Raw) -> int:
    """Give the memory limits of the containers together, 0 where one cannot be read."""
    limits = [parse_limit(each, "memory") for _, each in mappings_at(service, *CONTAINERS)]
    return 0 if None in limits else sum(limit or 0 for limit in limits) >> 20


def _check_service(annotations: Raw, findings: Findings) -> None:
    mode, count = CLOUD_RUN + "scalingMode", CLOUD_RUN + "manualInstanceCount"
    if annotations.get(mode) == "manual" and count not in annotations:
        findings.error((*SERVICE_ANNOTATIONS, count), "scale.manual", "must be given when scalingMode is manual")
    if count in annotations and annotations.get(mode) != "manual":
        path = (*SERVICE_ANNOTATIONS, count)
        findings.warning(path, "scale.manual", "has no effect without scalingMode manual", f"set {mode}: manual")
    audiences = CLOUD_RUN + "custom-audiences"
    if audiences in annotations and not _is_list_of_text(annotations[audiences]):
        message = f"must be a JSON list of strings, got {render_value(annotations[audiences])}"
        findings.error((*SERVICE_ANNOTATIONS, audiences), "annotations.json", message)
    if annotations.get(RUNYARD + "egress") == "none" and RUNYARD + "uses" in annotations:
        path = (*SERVICE_ANNOTATIONS, RUNYARD + "egress")
        message = "none is not supported together with runyard.dev/uses yet"
        findings.error(path, "egress.uses", message, "remove one of the two")


def _is_list_of_text(text: object) -> bool:
    if type(text) is not str:
        # The schema has said that it must be text.
        return True
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(item, str) for item in value)

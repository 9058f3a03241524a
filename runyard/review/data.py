"""Reviews for programs: data of a versioned schema, and SARIF for code scanners."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runyard.forecast.simulation import Simulated
from runyard.location import Location
from runyard.manifest.problems import Problem
from runyard.manifest.report import render_sarif as render_problems
from runyard.plan.quota import Headroom
from runyard.pulumi.preview import UNKNOWN, Group, Preview
from runyard.review.load import LoadReview
from runyard.review.review import CostChange, Judged, Review, Totals

# Of runyard/review/schema.json; a key that goes or changes its meaning raises it, a key that comes does not.
SCHEMA_VERSION = 1
_CONFIDENCE = "estimate"
# A finding about the host or the whole set has no place of its own; SARIF wants one.
_NOWHERE = Location("manifests", 1, 1)


def describe_review(review: Review) -> dict[str, Any]:
    """Describe a review as the plain data of runyard/review/schema.json; amounts of money are text."""
    states = ("new", "open", "waived", "fixed")
    return {
        "schemaVersion": SCHEMA_VERSION,
        "before": review.before,
        "after": review.after,
        "day": review.terms.day,
        "environment": review.terms.environment,
        "summary": {
            "changes": len(review.changes),
            "refused": review.refused,
            "policy": {state: sum(each.state == state for each in review.policy) for state in states},
        },
        "changes": [asdict(change) for change in review.changes],
        "policy": [_judged(each) for each in review.policy],
        "warnings": [_warning(each) for each in review.warnings],
        "quota": [
            {"tenant": room.tenant, "resource": room.resource, "before": _room(room.before), "after": _room(room.after)}
            for room in review.quotas
        ],
        "cost": {
            "currency": review.costs_after.currency,
            "priceBook": review.costs_after.book,
            "confidence": _CONFIDENCE,
            "basis": review.cost_basis,
            "monthly": [_cost(cost) for cost in review.costs],
        },
        "recordedLoad": _load(review.load) if review.load else None,
        "pulumi": _preview(review.preview) if review.preview else None,
    }


def render_sarif(review: Review) -> str:
    """Render as SARIF 2.1.0 the findings, waived ones as suppressed, new warnings, and what traffic will feel.

    Findings that are fixed are left out.
    """
    found = [_problem(each) for each in review.policy if each.state != "fixed"]
    return render_problems([*found, *review.warnings, *(_felt(group) for group in _groups_felt(review))])


def _groups_felt(review: Review) -> list[Group]:
    groups = review.preview.groups if review.preview else ()
    return [each for each in groups if each.effect is None or each.effect.kind != "none"]


def _felt(group: Group) -> Problem:
    kind, reason = (group.effect.kind, group.effect.reason) if group.effect else ("unknown", UNKNOWN)
    message = f"{group.kind} {group.name}: effect on traffic: {kind}: {reason}"
    return Problem(_NOWHERE, "", message, f"traffic-{kind}", "", "warning")


def _problem(judged: Judged) -> Problem:
    finding = judged.finding
    location = finding.location or _NOWHERE
    severity = "error" if finding.severity == "mandatory" else "warning"
    why = f"waived until {finding.until} because {finding.reason}" if finding.waived else ""
    return Problem(location, "", finding.message, finding.rule, finding.fix, severity, why)  # type: ignore[arg-type]


def _warning(problem: Problem) -> dict[str, Any]:
    return {
        "location": {"file": problem.location.file, "line": problem.location.line},
        "path": problem.path,
        "rule": problem.rule,
        "message": problem.message,
        "hint": problem.hint,
    }


def _judged(judged: Judged) -> dict[str, Any]:
    finding = judged.finding
    place = {"file": finding.location.file, "line": finding.location.line} if finding.location else None
    return {
        "state": judged.state,
        "rule": finding.rule,
        "severity": finding.severity,
        "tenant": finding.tenant,
        "service": finding.service,
        "message": finding.message,
        "fix": finding.fix,
        "page": finding.page,
        "location": place,
        "until": finding.until,
        "reason": finding.reason,
    }


def _load(load: LoadReview) -> dict[str, Any]:
    return {
        "problem": load.problem or None,
        "services": [
            {
                "service": each.service,
                "load": each.after.load.name,
                "seconds": each.after.outcome.length_s,
                "requests": each.after.outcome.requests,
                "before": _simulated(each.before),
                "after": _simulated(each.after),
            }
            for each in load.services
        ],
        "leftOut": [{"service": key, "reason": reason} for key, reason in load.left_out.items()],
    }


def _simulated(simulated: Simulated) -> dict[str, Any]:
    return {
        "peakInstances": simulated.outcome.peak,
        "instanceSeconds": round(simulated.outcome.instance_s, 3),
        "coldStarts": simulated.outcome.cold_starts,
        "p95Milliseconds": simulated.outcome.percentile_ms(95),
        "currency": simulated.currency,
        "month": str(simulated.month_cost),
        "notSimulated": list(simulated.left_out),
    }


def _preview(preview: Preview) -> dict[str, Any]:
    return {"stack": preview.stack, "groups": [asdict(group) for group in preview.groups]}


def _room(side: Headroom | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {"unit": side.unit, "limit": side.limit, "best": side.best, "worst": side.worst}


def _cost(cost: CostChange) -> dict[str, Any]:
    return {
        "kind": cost.kind,
        "name": cost.name,
        "before": _totals(cost.before) if cost.before else None,
        "after": _totals(cost.after),
        "delta": None if cost.delta is None else str(cost.delta),
    }


def _totals(totals: Totals) -> dict[str, str | None]:
    floor, expected, ceiling = totals
    return {"floor": str(floor), "expected": str(expected), "ceiling": None if ceiling is None else str(ceiling)}

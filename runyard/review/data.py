"""Reviews for programs: JSON of a versioned schema, and SARIF for code scanners."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from runyard.manifest.location import Location
from runyard.manifest.problems import Problem
from runyard.manifest.report import render_sarif as render_problems
from runyard.plan.quota import Headroom
from runyard.review.review import CostChange, Judged, Review

# Of runyard/review/schema.json; a key that goes or changes its meaning raises it.
SCHEMA_VERSION = 1
_CONFIDENCE = "estimate"


def render_json(review: Review) -> str:
    """Render as JSON that runyard/review/schema.json describes; amounts of money are text."""
    return json.dumps(describe_review(review), indent=2, sort_keys=True) + "\n"


def describe_review(review: Review) -> dict[str, Any]:
    """Describe a review as plain data."""
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
        "quota": [
            {"tenant": room.tenant, "resource": room.resource, "before": _room(room.before), "after": _room(room.after)}
            for room in review.quotas
        ],
        "cost": {
            "currency": review.costs_after.currency,
            "priceBook": review.costs_after.book,
            "confidence": _CONFIDENCE,
            "monthly": [_cost(cost) for cost in review.costs],
        },
    }


def render_sarif(review: Review) -> str:
    """Render the findings that count as SARIF 2.1.0; waived and fixed ones are left out."""
    return render_problems([_problem(each) for each in review.policy if each.state in ("new", "open")])


def _problem(judged: Judged) -> Problem:
    finding = judged.finding
    # A finding about the host or the whole set has no place of its own; SARIF wants one.
    location = finding.location or Location("manifests", 1, 1)
    severity = "error" if finding.severity == "mandatory" else "warning"
    return Problem(location, "", finding.message, finding.rule, finding.fix, severity)  # type: ignore[arg-type]


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


def _room(side: Headroom | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {"unit": side.unit, "limit": side.limit, "best": side.best, "worst": side.worst}


def _cost(cost: CostChange) -> dict[str, Any]:
    return {
        "kind": cost.kind,
        "name": cost.name,
        "before": _totals(cost.before),
        "after": _totals(cost.after),
        "delta": str(cost.delta),
    }


def _totals(totals: tuple[Decimal, Decimal, Decimal | None]) -> dict[str, str | None]:
    floor, expected, ceiling = totals
    return {"floor": str(floor), "expected": str(expected), "ceiling": None if ceiling is None else str(ceiling)}

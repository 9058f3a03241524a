"""Report of simulations: a table for people, plain data for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runyard import table
from runyard.forecast.picture import render_length
from runyard.forecast.simulation import Simulated

SCHEMA_VERSION = 1
_HEAD = ("service", "instances", "peak", "starts", "cold", "p50 ms", "p95 ms", "p99 ms", "a month")


def describe_simulations(found: Sequence[Simulated]) -> Mapping[str, Any]:
    """Describe simulations as plain data; money is text, so that no reader makes binary fractions of it."""
    return {"schemaVersion": SCHEMA_VERSION, "services": [_describe(each) for each in found]}


def render_simulations(found: Sequence[Simulated]) -> str:
    """Render a table, a service a line, and below it what was simulated."""
    rows = [_HEAD, *(_row(each) for each in found)]
    lines = table.render_columns(rows, right=range(1, len(_HEAD)))
    # One trace for all, or what was recorded of each.
    of_each = len(found) > 1 and any(each.load != found[0].load for each in found)
    told = [f"{each.service}: {_trace(each)}" for each in found] if of_each else [_trace(each) for each in found[:1]]
    for each in found[:1]:
        load = each.load
        lines += [
            "",
            *told,
            f"A start takes {1000 * load.start_s:.0f} ms; cold are those that requests waited for without an instance.",
            f"Cost in {each.currency} of a month that is like it, without responses' bytes.",
        ]
    left_out = sorted({kind for each in found for kind in each.left_out})
    if left_out:
        lines.append(f"Not simulated, as a trace does not tell it: {', '.join(left_out)}.")
    return "\n".join(lines) + "\n"


def _trace(each: Simulated) -> str:
    load, outcome = each.load, each.outcome
    turns = f", {load.repeated} times" if load.repeated > 1 else ""
    return (
        f"Trace {load.name}{turns}: {render_length(outcome.length_s)}, {outcome.requests:,} requests,"
        f" at most {each.peak_rps:.4g} a second."
    )


def _row(each: Simulated) -> tuple[str, ...]:
    outcome = each.outcome
    counts = (outcome.peak, outcome.starts, outcome.cold_starts)
    times = (outcome.percentile_ms(percent) for percent in (50, 95, 99))
    return (each.service, f"{each.mean_instances:.2f}", *map(str, (*counts, *times)), f"{each.month_cost:,.2f}")


def _describe(each: Simulated) -> Mapping[str, Any]:
    outcome = each.outcome
    return {
        "service": each.service,
        "trace": each.load.name,
        "lengthSeconds": outcome.length_s,
        "requests": outcome.requests,
        "peakRequestsPerSecond": round(each.peak_rps, 3),
        "instances": {
            "least": each.span.least,
            "most": each.span.most,
            "mean": round(each.mean_instances, 3),
            "peak": outcome.peak,
        },
        "instanceSeconds": round(outcome.instance_s, 3),
        "lateRequestSeconds": round(outcome.late_s, 3),
        "starts": outcome.starts,
        "coldStarts": outcome.cold_starts,
        "responseMilliseconds": {f"p{percent}": outcome.percentile_ms(percent) for percent in (50, 95, 99)},
        "cost": {"currency": each.currency, "month": str(each.month_cost)},
        "notSimulated": list(each.left_out),
    }

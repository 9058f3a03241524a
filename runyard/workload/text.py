"""Text of an outcome and of a scenario that is not run, for a terminal; and the same as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runyard.table import render_columns, render_markdown
from runyard.units import render_count
from runyard.workload.arrivals import count_arrivals, peak_rate
from runyard.workload.model import Scenario
from runyard.workload.outcome import VOID, Audit, Capacity, GeneratorOutcome, Latency, Outcome

LATENCY_HEAD = ("latency in ms", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")
TARGETS_HEAD = ("target", "attempted", "served", "p50 ms", "p99 ms")
CAUSES_HEAD = ("not served", "target", "requests")
_NUMBERS = frozenset(range(1, len(LATENCY_HEAD)))


def render_text(outcome: Outcome) -> str:
    """Render an outcome: the verdict and why first, then counts, latencies, causes, and what the stack said."""
    lines = [headline(outcome), *(f"  problem: {each}" for each in problems(outcome)), counts_line(outcome), ""]
    lines += render_columns([LATENCY_HEAD, *latency_rows(outcome)], _NUMBERS)
    if len(outcome.targets) > 1:
        lines += ["", *render_columns([TARGETS_HEAD, *target_rows(outcome)], {1, 2, 3, 4})]
    if outcome.causes:
        lines += ["", *render_columns([CAUSES_HEAD, *cause_rows(outcome)], {2})]
    lines += [
        "",
        *(f"{'met' if each.passed else 'missed'}: {each.rule}, {each.seen:.4g}" for each in outcome.judgements),
    ]
    lines += [*map(audit_line, outcome.audits), *map(capacity_line, outcome.capacities)]
    return "\n".join([*lines, generator_line(outcome.generator)]) + "\n"


def render_report(outcome: Outcome) -> str:
    """Render an outcome as Markdown, with the verdict first."""
    lines = [f"**{headline(outcome)}**", "", *(f"- problem: {each}" for each in problems(outcome))]
    lines += ["", counts_line(outcome).strip(), "", *render_markdown(LATENCY_HEAD, latency_rows(outcome), _NUMBERS)]
    lines += ["", *render_markdown(TARGETS_HEAD, target_rows(outcome), {1, 2, 3, 4})]
    if outcome.causes:
        lines += ["", *render_markdown(CAUSES_HEAD, cause_rows(outcome), {2})]
    if outcome.judgements:
        rows = [(each.rule, f"{each.seen:.4g}", "met" if each.passed else "missed") for each in outcome.judgements]
        lines += ["", *render_markdown(("threshold", "seen", ""), rows, {1})]
    said = [
        *map(audit_line, outcome.audits),
        *map(capacity_line, outcome.capacities),
        generator_line(outcome.generator),
    ]
    return "\n".join([*lines, "", *(f"- {each}" for each in said)]) + "\n"


def render_plan(scenario: Scenario) -> str:
    """Render what a scenario would send, and where."""
    phases = [
        (
            str(number),
            each.name,
            each.gaps,
            f"{each.seconds:g}",
            f"{count_arrivals(each):,.0f}",
            f"{peak_rate(each):.4g}",
        )
        for number, each in enumerate(scenario.phases, 1)
    ]
    targets = [
        (each.name, each.method, each.url or f"{each.service}{each.path}", str(each.weight))
        for each in scenario.targets
    ]
    total = sum(map(count_arrivals, scenario.phases))
    lines = [
        f"{scenario.name}: {total:,.0f} requests in {scenario.seconds:g} s from"
        f" {render_count(scenario.generator.workers, 'worker')}; nothing was sent",
        "",
        *render_columns([("phase", "shape", "gaps", "seconds", "requests", "most a second"), *phases], {0, 3, 4, 5}),
        "",
        *render_columns([("target", "method", "asked at", "weight"), *targets], {3}),
    ]
    return "\n".join(lines) + "\n"


def headline(outcome: Outcome) -> str:
    """Say the verdict in a line."""
    what = " (the generator measured itself)" if outcome.verdict == VOID else ""
    return f"{outcome.verdict}{what}: {outcome.name}, {outcome.totals.attempted:,} requests in {outcome.seconds:g} s"


def problems(outcome: Outcome) -> Iterator[str]:
    """Say why the verdict is not passed, each reason in a line."""
    yield from outcome.generator.problems
    for each in outcome.judgements:
        if not each.passed:
            yield f"{each.rule}, got {each.seen:.4g}"
    for found in outcome.audits:
        yield from (f"{found.service}: {problem}" for problem in found.problems)


def counts_line(outcome: Outcome) -> str:
    """Tell attempted, sent, answered and served apart."""
    totals, seconds = outcome.totals, max(outcome.seconds - outcome.warm_up_s, 1e-9)
    again = f" ({totals.sent_again:,} of them twice)" if totals.sent_again else ""
    after = f" after {outcome.warm_up_s:g} s of warm-up" if outcome.warm_up_s else ""
    return (
        f"  {totals.attempted:,} attempted, {totals.sent:,} sent{again}, {totals.answered:,} answered,"
        f" {totals.served:,} served{after}: {totals.served / seconds:,.1f} a second,"
        f" {totals.failed_percent:.3g} % failed"
    )


def latency_rows(outcome: Outcome) -> list[Sequence[str]]:
    """Give a row for each of the two clocks."""
    return [("from the intended start", *_latency(outcome.intended)), ("from the send", *_latency(outcome.from_send))]


def audit_line(audit: Audit) -> str:
    """Say how our count agrees with the gateway's."""
    cold = f"{render_count(audit.cold, 'request')} waited for an instance, at most {audit.held_s:.3g} s"
    others = f", {audit.others:,} lines of other clients" if audit.others else ""
    return (
        f"{audit.service}: {audit.logged:,} of {audit.answered:,} answered requests are in the gateway's log{others};"
        f" it counted {audit.counted:,} of {audit.expected:,}; {cold}; {audit.retries:,} sent on again by it"
    )


def capacity_line(capacity: Capacity) -> str:
    """Say how many instances a service had, and since when the most."""
    counts = [count for _, count in capacity.ready]
    if not counts:
        return f"{capacity.service}: nothing is known of its instances"
    started = render_count(capacity.started, "instance")
    return (
        f"{capacity.service}: {min(counts)} to {max(counts)} ready instances, the most after"
        f" {capacity.capacity_s:.1f} s; {started} started"
    )


def generator_line(generator: GeneratorOutcome) -> str:
    """Say what the generator did itself."""
    return (
        f"generator: {render_count(generator.workers, 'worker')} with {generator.cpu_percent:.0f} % of a core each,"
        f" without one {generator.waited_percent:.0f} % of the time; {generator.late:,} late, {generator.unsent:,}"
        f" unsent, 99 % within {generator.p99_late_ms:.1f} ms and all within {generator.worst_late_ms:.1f} ms"
    )


def _latency(latency: Latency) -> list[str]:
    values = (latency.mean_ms, latency.p50_ms, latency.p90_ms, latency.p95_ms, latency.p99_ms, latency.p999_ms)
    return [f"{each:,.2f}" for each in (*values, latency.max_ms)]


def target_rows(outcome: Outcome) -> list[Sequence[str]]:
    """Give a row for each target."""
    return [
        (each.name, f"{each.attempted:,}", f"{each.served:,}", f"{each.p50_ms:,.2f}", f"{each.p99_ms:,.2f}")
        for each in outcome.targets
    ]


def cause_rows(outcome: Outcome) -> list[Sequence[str]]:
    """Give a row for each cause, the most frequent first."""
    return [(each.cause, each.target, f"{each.count:,}") for each in outcome.causes]

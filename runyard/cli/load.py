"""Command `load`: what a scenario asks for is sent and held to its thresholds; two runs are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from runyard.cli.live import Duration
from runyard.cli.output import Output, reporting
from runyard.errors import ContractError, GeneratorError, UsageError, VerifyError
from runyard.host import Engine
from runyard.manifest.sources import load_text
from runyard.workload.comparison import compare, describe_comparison, render_comparison, render_comparison_markdown
from runyard.workload.model import Scenario
from runyard.workload.outcome import PASSED, VOID, Outcome, describe_outcome, parse_outcome
from runyard.workload.report import write_reports
from runyard.workload.run import describe_plan, run
from runyard.workload.scenario import check_size, load_scenario, parse_scenario
from runyard.workload.text import problems, render_plan, render_report, render_text

_COMPARE = "compare"
# Where a scenario of options says that something is wrong.
_OPTIONS = "options"


@click.command()
@click.argument("words", nargs=-1, metavar="[SCENARIO | compare A.json B.json]")
@click.option("--service", metavar="[TENANT/]NAME", help="A service of the stack to ask, instead of a scenario.")
@click.option("--url", metavar="URL", help="An address to ask, instead of a scenario.")
@click.option("--path", metavar="/PATH", help="Path and query to ask the service for; / by default.")
@click.option("--method", metavar="METHOD", help="Method of the requests; GET by default.")
@click.option("--body", metavar="TEXT", help="Body of the requests.")
@click.option("--rate", type=float, help="Requests a second, of a shape at its peak.")
@click.option("--for", "seconds", type=Duration(), help="How long: 90s, 30m, 1h.")
@click.option("--shape", metavar="SHAPE", help="constant (by default), ramp, step, spike, day, sawtooth, idle.")
@click.option("--gaps", metavar="GAPS", help="even (by default), or poisson.")
@click.option("--trace", metavar="FILE", help="CSV of requests to send again, instead of a shape.")
@click.option("--time-scale", type=float, help="How much faster the trace goes by.")
@click.option("--rate-scale", type=float, help="How many requests there are for one of the trace.")
@click.option("--p99-ms", type=float, help="Most of the 99th percentile, else it fails.")
@click.option("--failed-percent", type=float, help="Most of the requests that may fail, else it fails.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that send; 1 by default.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="A host beside this machine that may be asked.")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose services are asked.")
@click.option("--report", metavar="DIRECTORY", help="Write report.html, .json, .xml (JUnit) and .md there.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@reporting()
def load(words: tuple[str, ...], stack: str, report: str | None, dry_run: bool, out: Output, **given: Any) -> None:
    """Send requests at their own times, whatever became of those before, and say how they were served.

    SCENARIO is a file of kind Workload (docs/load.md); a single target can be given by options. Only this machine is
    asked, and hosts that are named. Exit 7 where a threshold or the gateway's own count does not hold, 3 where the
    generator was late itself, so that the run says nothing of its target.

    `compare` tells what of two reports (report.json) differs beyond noise.
    """
    if words and words[0] == _COMPARE:
        _compare(words[1:], out)
        return
    scenario = _scenario(words, given)
    check_size(scenario)
    if scenario.services:
        with Engine() as engine:
            _load(scenario, (engine, stack), report, dry_run, out)
    else:
        _load(scenario, None, report, dry_run, out)


def _load(scenario: Scenario, live: tuple[Engine, str] | None, report: str | None, dry_run: bool, out: Output) -> None:
    if dry_run:
        out.show(lambda: describe_plan(scenario), lambda: render_plan(scenario))
        return
    outcome = run(scenario, live)
    if report is not None:
        write_reports(Path(report), outcome)
    failed = outcome.verdict != PASSED
    out.show(
        lambda: describe_outcome(outcome),
        lambda: render_text(outcome),
        failed=failed,
        markdown=lambda: render_report(outcome),
    )
    if failed:
        raise _error(outcome)


def _error(outcome: Outcome) -> GeneratorError | VerifyError:
    reasons = "; ".join(problems(outcome))
    return (GeneratorError if outcome.verdict == VOID else VerifyError)(f"load {outcome.name}: {reasons}")


def _compare(files: Sequence[str], out: Output) -> None:
    if len(files) != 2:
        raise UsageError(f"compare: must be given two reports, got {len(files)}")
    before, after = map(_outcome, files)
    found = compare(before, after)
    out.show(
        lambda: describe_comparison(before, after, found),
        lambda: render_comparison(found),
        markdown=lambda: render_comparison_markdown(found),
    )


def _outcome(file: str) -> Outcome:
    try:
        return parse_outcome(load_text(file))
    except (ContractError, ValueError) as error:
        raise UsageError(f"{file}: must be a report.json of `runyard load`: {error}") from error


def _scenario(words: Sequence[str], given: Mapping[str, Any]) -> Scenario:
    """Read the scenario, or make one of the options; those for workers and hosts go for both."""
    common = {"workers", "hosts"}
    asked = {key for key, value in given.items() if value not in (None, ()) and key not in common}
    if len(words) > 1:
        raise UsageError(f"load: must be given one scenario, got {len(words)}: {' '.join(words)}")
    if not words:
        return _of_options(given)
    if asked:
        options = ", ".join(f"--{'for' if key == 'seconds' else key.replace('_', '-')}" for key in sorted(asked))
        raise UsageError(f"load: must be given a scenario or options, got {words[0]} and {options}")
    scenario = load_scenario(words[0], given["hosts"])
    workers = given["workers"] or scenario.generator.workers
    return replace(scenario, generator=replace(scenario.generator, workers=workers))


def _of_options(given: Mapping[str, Any]) -> Scenario:
    """Make a scenario of options, held to the same rules as a file's."""
    if not (given["service"] or given["url"]):
        raise UsageError("load: must be given a scenario, --service or --url")
    target = {key: given[key] for key in ("service", "url", "path", "method", "body")}
    phase = {
        "shape": given["shape"] or (None if given["trace"] else "constant"),
        "rate": given["rate"],
        "seconds": given["seconds"],
        "gaps": given["gaps"],
        "trace": given["trace"],
        "timeScale": given["time_scale"],
        "rateScale": given["rate_scale"],
    }
    thresholds = {"p99Milliseconds": given["p99_ms"], "failedPercent": given["failed_percent"]}
    document = {
        "apiVersion": "runyard.dev/v1",
        "kind": "Workload",
        "metadata": {"name": (given["service"] or given["url"])[:63]},
        "spec": {
            "targets": [_said(target)],
            "phases": [_said(phase)],
            "thresholds": _said(thresholds),
            "generator": {"workers": given["workers"] or 1},
        },
    }
    # JSON is YAML.
    return parse_scenario(_OPTIONS, json.dumps(document), load_text, given["hosts"])


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}

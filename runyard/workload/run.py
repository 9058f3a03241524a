"""Run of a scenario: its services are found, the workers send, and what they recorded is analysed and audited."""

from __future__ import annotations

from typing import Any

from runyard.host import Engine
from runyard.workload.analysis import analyse, merged
from runyard.workload.arrivals import count_arrivals, peak_rate
from runyard.workload.crew import run_crew
from runyard.workload.live import InstanceWatch, LiveStack
from runyard.workload.model import Scenario
from runyard.workload.outcome import Outcome


def run(scenario: Scenario, live: tuple[Engine, str] | None) -> Outcome:
    """Run a scenario, one with services on the stack of an engine; errors are of what could not be asked at all."""
    if live is None:
        done = run_crew(scenario)
        return analyse(scenario, merged(done.recordings), done.usages, done.began_unix_s)
    engine, name = live
    stack, services = LiveStack(engine, name), scenario.services
    resolved = stack.resolve(scenario)
    stack.begin(services)
    with InstanceWatch(engine, name, services) as watch:
        done = run_crew(resolved)
    rows = merged(done.recordings)
    audits = []
    for service in services:
        mine = {number for number, target in enumerate(resolved.targets) if target.service == service}
        audits.append(stack.audit(service, [row for row in rows if row.target in mine]))
    capacities = watch.capacities(done.began_unix_s)
    return analyse(resolved, rows, done.usages, done.began_unix_s, audits, capacities)


def describe_plan(scenario: Scenario) -> dict[str, Any]:
    """Say as plain data what a scenario would send."""
    return {
        "name": scenario.name,
        "seconds": scenario.seconds,
        "workers": scenario.generator.workers,
        "requests": round(sum(map(count_arrivals, scenario.phases))),
        "phases": [
            {
                "shape": phase.name,
                "gaps": phase.gaps,
                "seconds": phase.seconds,
                "requests": round(count_arrivals(phase)),
                "peakRequestsPerSecond": peak_rate(phase),
            }
            for phase in scenario.phases
        ],
        "targets": [
            {"name": each.name, "method": each.method, "url": each.url, "service": each.service, "weight": each.weight}
            for each in scenario.targets
        ],
    }

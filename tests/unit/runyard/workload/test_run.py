"""Run: real workers against a real server, with what its stack says beside it."""

from __future__ import annotations

from pathlib import Path

from runyard.host import Engine
from runyard.workload.model import Target
from runyard.workload.outcome import FAILED, PASSED, Outcome
from runyard.workload.run import describe_plan, run
from tests.unit.runyard.workload.made import scenario, thresholds
from tests.unit.runyard.workload.server import one_in_three_slow, serving
from tests.unit.runyard.workload.stack import loaded_stack

BROWSE, WRONG = (Target(name, service="shop/web", path=path) for name, path in (("browse", "/"), ("wrong", "/fail")))


def loaded(directory: Path, *targets: Target, **defects: object) -> Outcome:
    with loaded_stack(directory, **defects), Engine(f"unix://{directory}/docker.sock") as engine:
        return run(scenario(rate=40, seconds=1.0, targets=targets), (engine, "dev"))


def test_service_is_loaded_and_its_gateway_counts_as_we_do(tmp_path: Path) -> None:
    found = loaded(tmp_path, BROWSE, WRONG, held_s=0.4)
    (audit,), (capacity,) = found.audits, found.capacities
    assert (found.totals.attempted, audit.answered, audit.logged, audit.counted, audit.others) == (40, 40, 40, 40, 0)
    assert (audit.problems, audit.cold, audit.held_s) == ((), 1, 0.4)
    assert (capacity.service, capacity.ready[-1][1]) == ("shop/web", 1)
    (cause,) = found.causes
    assert (cause.target, cause.cause, found.totals.served + cause.count) == ("wrong", "status 503", 40)


def test_slow_instance_among_three_shows_where_thresholds_are() -> None:
    with serving(one_in_three_slow(0.5)) as served:
        made = scenario(
            served.url, rate=60, seconds=1.0, thresholds=thresholds(p50Milliseconds=450, p95Milliseconds=450)
        )
        found = run(made, None)
    median, high = found.judgements
    assert (high.passed, found.verdict, found.totals.served) == (False, FAILED, 60)
    assert high.seen >= 500
    slow = [each for each in found.slowest if each.ms_from_send >= 500]
    assert len(slow) == 20
    assert {int(each.request_id, 16) % 3 for each in slow} == {2}
    print(f"median of the other two: {median.seen:.0f} ms")


def test_url_is_loaded_without_any_stack() -> None:
    with serving() as served:
        found = run(scenario(served.url, rate=40, seconds=0.5), None)
    assert (found.verdict, found.totals.served, found.audits, found.capacities) == (PASSED, 20, (), ())


def test_plan_is_described_as_data() -> None:
    described = describe_plan(scenario(targets=(BROWSE,)))
    assert described["requests"] == 50
    assert described["phases"] == [
        {"shape": "constant", "gaps": "even", "seconds": 1.0, "requests": 50, "peakRequestsPerSecond": 50.0}
    ]
    assert described["targets"][0]["service"] == "shop/web"

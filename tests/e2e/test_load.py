"""Load on a running service: its own count, the gateway's log and the gateway's counter are equal, whatever happens."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import pytest

from runyard import names
from tests.harness.stack import MINIMUM, Stack, docker, new_stack, service
from tests.harness.waiting import until

# On a machine that tests keep busy, lateness is not what is tried.
PATIENT = {"lateMilliseconds": 60_000, "latePercent": 100, "workers": 2}
RATE, SECONDS = 40, 5


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with a service that sleeps until it is asked."""
    with new_stack(tmp_path_factory, "load") as made:
        made.write("hello", service("hello", template={MINIMUM: "0", "autoscaling.knative.dev/window": "6s"}))
        made.up()
        until(lambda: not made.names("instance", running=True), "it sleeps")
        yield made


def load(stack: Stack, targets: list[dict[str, Any]], **spec: Any) -> tuple[int, dict[str, Any], str]:
    """Run a scenario, and give the exit code, the report and what was told as text."""
    phases = [{"shape": "constant", "rate": RATE, "seconds": SECONDS}]
    document = {
        "apiVersion": "runyard.dev/v1",
        "kind": "Workload",
        "spec": {"targets": targets, "phases": phases, "generator": PATIENT, "timeoutSeconds": 60, **spec},
    }
    scenario, report = stack.directory / "scenario.yaml", stack.directory / "report"
    scenario.write_text(json.dumps(document))
    done = stack.runyard("load", str(scenario), "--report", str(report))
    assert (report / "report.json").exists(), done.stdout + done.stderr
    return done.returncode, json.loads((report / "report.json").read_text()), done.stdout + done.stderr


def logged(stack: Stack) -> int:
    """Count the lines of the gateway's log that are about the service, without our own reader."""
    gateway = names.platform_container(stack.name, "gateway")
    lines = docker("exec", gateway, "cat", f"{names.REQUESTS_DIRECTORY}/{names.REQUEST_LOG_NAME}").splitlines()
    return sum(json.loads(line)["service"] == "hello" for line in lines)


def test_every_request_that_was_sent_is_in_the_gateways_log_and_counter_once(hello: Stack) -> None:
    targets = [
        {"service": "hello", "weight": 3, "checks": {"statuses": [200], "bodyContains": "hello"}},
        {"service": "hello", "method": "POST", "path": "/echo", "body": "twelve bytes"},
    ]
    code, report, told = load(hello, targets, thresholds={"failedPercent": 0})
    sent = RATE * SECONDS
    totals, (audit,), (capacity,) = report["totals"], report["audits"], report["capacities"]
    assert code == 0, told
    assert [totals[key] for key in ("attempted", "sent", "answered", "served")] == [sent] * 4
    assert [audit[key] for key in ("answered", "logged", "counted", "expected", "others")] == [sent] * 4 + [0], told
    assert logged(hello) == sent
    # Those that woke it waited, and whoever came meanwhile: all of them, where a machine is slow to start it.
    assert 1 <= audit["cold"] <= sent
    assert (capacity["ready"][0][1], capacity["started"] >= 1) == (0, True)
    assert f"{sent} of {sent} answered requests are in the gateway's log" in told


def test_requests_that_fail_are_told_by_cause_and_still_counted_as_by_the_gateway(hello: Stack) -> None:
    before = logged(hello)
    targets = [{"name": "right", "service": "hello"}, {"name": "wrong", "service": "hello", "path": "/nothing"}]
    code, report, told = load(hello, targets, thresholds={"failedPercent": 1})
    (audit,), (cause,) = report["audits"], report["causes"]
    assert (code, report["verdict"]) == (7, "failed"), told
    assert (cause["target"], cause["cause"]) == ("wrong", "status 404")
    assert cause["count"] == report["totals"]["attempted"] - report["totals"]["served"]
    assert audit["problems"] == []
    assert audit["logged"] == audit["counted"] == RATE * SECONDS == logged(hello) - before
    suite = ElementTree.parse(hello.directory / "report" / "report.xml").getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("3", "1", "0")

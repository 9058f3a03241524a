"""Load as it is recorded of a running service: over a restart, and through manifests, `simulate` and `review`."""

from __future__ import annotations

import json
import shutil

from tests.harness.client import ask
from tests.harness.stack import MINIMUM, Stack, docker, service
from tests.harness.waiting import until

REQUESTS = 40


def test_load_is_recorded_over_a_restart_and_foretells_what_a_change_does(stack: Stack) -> None:
    stack.write("hello", service("hello"))
    stack.up()
    for _ in range(REQUESTS):
        assert stack.get("hello.localhost").status == 200
    path = "/v1/recorded-load?service=default/hello"
    until(lambda: _arrivals(stack, path) == REQUESTS, "all is recorded")
    docker("restart", stack.names("orchestrator")[0])
    until(lambda: stack.status()["in_step"], "in step")
    assert _arrivals(stack, path) == REQUESTS
    (simulated,) = stack.told("simulate", str(stack.manifests), "--trace", "recorded")["services"]
    assert (simulated["service"], simulated["requests"], simulated["coldStarts"]) == ("default/hello", REQUESTS, 0)
    after = stack.directory / "after"
    shutil.copytree(stack.manifests, after)
    (after / "hello.yaml").write_text(json.dumps(service("hello", template={MINIMUM: "2"})))
    sides = (str(stack.manifests), str(after))
    told = stack.runyard("review", *sides, check=True).stdout
    assert "\nRecorded load\n  service default/hello: with the load of the last " in told
    assert ", 0 cold starts, " in told
    (load,) = stack.told("review", *sides)["recordedLoad"]["services"]
    assert (load["requests"], load["before"]["coldStarts"], load["after"]["peakInstances"] >= 2) == (REQUESTS, 0, True)
    stack.expect_no_changes()


def _arrivals(stack: Stack, path: str) -> int:
    recorded = ask(stack.orchestrator_port, path).json()
    return sum(arrivals for _, arrivals, _, _ in recorded["minutes"])

"""A running service looked at and operated by hand: ps, why, scale, restart, the API on the port and its stream."""

import json
import threading
import time
from urllib.request import urlopen

from tests.harness.client import ask
from tests.harness.stack import Stack, docker, service
from tests.harness.waiting import until


def instances(stack: Stack) -> list[str]:
    return [each["instance"] for each in stack.told("ps", "hello")["instances"] if each["state"] == "ready"]


class Load:
    """Requests one after the other in a thread, until it is ended; `failed` has what was not answered with 200."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._over = stack, threading.Event()
        self.answered, self.failed = 0, []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.is_set():
            answer = self._stack.get("hello.localhost")
            if answer.status == 200:
                self.answered += 1
            else:
                self.failed.append((answer.status, answer.text))

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def test_program_runs_in_an_instance_and_revisions_are_listed(stack: Stack):
    stack.write("hello", service("hello"))
    stack.up()
    # The sample's image has nothing but its program, which finds its port taken.
    taken = stack.runyard("exec", "hello", "--", "/hello")
    assert (taken.returncode, "address already in use" in taken.stdout + taken.stderr) == (1, True), taken
    # Engines differ in which of the two says that there is no such program.
    assert stack.runyard("exec", "hello", "--", "/nothing").returncode in (126, 127)
    wrong = stack.runyard("exec", "hello", "--container", "other", "--", "/hello")
    assert (wrong.returncode, "container must be one of user-container" in wrong.stderr) == (2, True), wrong
    (only,) = stack.told("revisions", "hello")
    assert (only["percent"], only["ready"], only["desired"]) == (100, 1, 1)
    changed = service("hello", env=[{"name": "A", "value": "b"}])
    stack.write("hello", changed)
    stack.up()
    newer, older = stack.told("revisions", "hello")
    assert (newer["percent"], older["percent"], older["revision"]) == (100, 0, only["revision"])


def drained(stack: Stack, before: list[str]) -> list[str]:
    """Drain one of three instances under load, and give those that there are then."""
    with Load(stack) as load:
        done = stack.runyard("drain", "hello", before[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("default/hello: 1 instance drained and replaced after ")
    assert (load.failed, load.answered > 0) == ([], True)
    after = instances(stack)
    assert (len(after), before[0] in after, set(before[1:]) <= set(after)) == (3, False, True)
    stack.expect_no_changes()
    return after


def paused_and_resumed(stack: Stack, there: list[str]) -> None:
    """Pause the service over a restart of the orchestrator, which keeps its number too, and have it go on."""
    paused = stack.runyard("pause", "hello", "--for", "5m")
    assert paused.stdout.startswith("default/hello: paused until "), paused.stderr
    stack.expect_no_changes()
    docker("restart", stack.names("orchestrator")[0])
    until(lambda: stack.runyard("ps").returncode == 0)
    assert (instances(stack), stack.told("ps")["overrides"][0]["count"]) == (there, 3)
    answer = stack.get("hello.localhost")
    assert (answer.status, answer.json()["type"]) == (503, "urn:runyard:problem:paused")
    assert 200 < int(answer.headers["Retry-After"]) <= 300
    held = Load(stack)
    with held:
        resumed = stack.runyard("resume", "hello")
        assert resumed.stdout == "default/hello: resumed\n", resumed.stderr
        until(lambda: held.answered > 0)
    assert held.failed == []


def test_running_service_is_looked_at_scaled_and_restarted_without_drift_or_loss(stack: Stack):
    # The shortest window, after which it has no more than its load needs.
    held_briefly = {"runyard.dev/queue-timeout": "5s"}
    stack.write("hello", service("hello", template={"autoscaling.knative.dev/window": "6s"}, annotations=held_briefly))
    stack.up()
    assert len(instances(stack)) == 1

    scaled = stack.runyard("scale", "hello", "3", "--for", "30m")
    assert scaled.returncode == 0, scaled.stderr
    assert scaled.stdout.startswith("default/hello: 3 instances by hand until ")
    until(lambda: len(instances(stack)) == 3, within_s=30)
    stack.expect_no_changes()
    refused = stack.runyard("scale", "hello", "101")
    assert (refused.returncode, "count must be from 0 to 100, got 101" in refused.stderr) == (2, True)
    reason = stack.told("why", "hello")["decisions"][-1]
    assert (reason["before"], reason["count"], reason["why"], reason["inputs"]["asked"]) == (1, 3, "by-hand", 3.0)

    before = instances(stack)
    with Load(stack) as load:
        done = stack.runyard("restart", "hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("default/hello: 3 instances restarted after ")
    assert (load.failed, load.answered > 0) == ([], True)
    after = instances(stack)
    assert (len(after), set(before) & set(after)) == (3, set())
    stack.expect_no_changes()

    after = drained(stack, after)
    paused_and_resumed(stack, after)

    public = ask(stack.orchestrator_port, "/v1/instances?service=default/hello").json()["instances"]
    assert ({each["instance"] for each in public}, {each["address"] for each in public}) == (set(after), {""})
    closed = ask(stack.orchestrator_port, "/v1/overrides/default/hello", "PUT", "{}")
    assert (closed.status, closed.headers["Content-Type"].partition(";")[0]) == (404, "application/problem+json")

    with urlopen(f"http://127.0.0.1:{stack.orchestrator_port}/v1/watch", timeout=30) as stream:
        while stream.readline() != b"event: synced\n":
            pass
        ended = stack.runyard("scale", "hello", "--end")
        assert ended.returncode == 0, ended.stderr
        began = time.monotonic()
        while stream.readline() != b"event: override\n":
            assert time.monotonic() - began < 20
        assert json.loads(stream.readline().removeprefix(b"data: ")) == {"key": "default/hello", "value": None}
    until(lambda: len(instances(stack)) == 1, within_s=60)

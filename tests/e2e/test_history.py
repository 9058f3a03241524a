"""Earlier revisions: kept, split, tagged, rolled back to, shown by the preview and put back by the next update."""

import json
import subprocess
from collections import Counter

from tests.harness.stack import Stack, service
from tests.harness.waiting import until


def hello(greeting: str, *traffic: dict) -> dict:
    return service("hello", env=[{"name": "GREETING", "value": greeting}], traffic=list(traffic) or None)


def revision(stack: Stack, host: str = "hello.localhost") -> str:
    return stack.get(host).json()["revision"]


def roll_back(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return stack.runyard("rollback", "hello", *arguments)


def test_traffic_goes_back_to_kept_revisions_by_manifest_by_rollback_and_by_an_older_manifest(stack: Stack):
    stack.write("hello", hello("one"))
    stack.up()
    first = revision(stack)
    stack.write("hello", hello("two"))
    shown = stack.preview().stdout
    assert "effect on running traffic: none: service default.hello: a new revision is ready before" in shown
    stack.up()
    second = revision(stack)
    assert stack.held() == {first, second}
    stack.expect_no_changes()

    # A split by name, and a tag with a host of its own and no share.
    shares = [{"revisionName": first, "percent": 50}, {"latestRevision": True, "percent": 50}]
    stack.write("hello", hello("two", *shares, {"revisionName": first, "tag": "old"}))
    stack.up()
    counts = Counter(revision(stack) for _ in range(200))
    # Each of the gateway's workers keeps to the shares on its own; the exact bound is the gateway's own test.
    assert set(counts) == {first, second}
    assert abs(counts[first] - counts[second]) <= 8
    assert revision(stack, "old---hello.localhost") == first
    stack.expect_no_changes()

    # What is neither made nor kept is refused in the preview already, with its place and what there is.
    stack.write("hello", hello("two", {"revisionName": "hello-gone", "percent": 100}))
    refused = stack.preview(check=False)
    assert refused.returncode != 0
    assert f"({second}) or one that is kept ({first}), got hello-gone" in refused.stdout + refused.stderr
    assert "hello.yaml:" in refused.stdout + refused.stderr

    # The tag stays at 0 %, so its revision is active; without one the first is idle.
    stack.write("hello", hello("two"))
    stack.up()
    until(lambda: not any(first in name for name in stack.names("instance")))
    done = roll_back(stack, "--output", "json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [each["revision"] for each in said["after"]] == [first]
    # Of a revision that has no instance any more: it is started first.
    assert said["tookSeconds"] < 2
    assert revision(stack) == first
    assert roll_back(stack).returncode == 1

    shown = stack.preview("--expect-no-changes", "--diff", check=False)
    assert shown.returncode != 0
    assert f"traffic of default/hello was moved since the last update: 100% {first}" in shown.stdout + shown.stderr
    assert "runyard:index:Service: (update)" in shown.stdout
    stack.up()
    assert revision(stack) == second
    stack.expect_no_changes()

    # Going back in git finds the document there: nothing is created, replaced or deleted.
    stack.write("hello", hello("one"))
    plan = json.loads(stack.preview("--json").stdout)
    assert {step["op"] for step in plan["steps"]} == {"same", "update"}
    stack.up()
    assert revision(stack) == first
    assert stack.status()["services"][0]["history"] == [first, second]
    stack.expect_no_changes()

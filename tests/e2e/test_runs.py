"""One-off runs of a service's revision on a real engine: their output, exit code and end, and what is left of them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.stack import ROOT, Stack, docker, inspect, service
from tests.harness.waiting import until

SECRET = [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "latest"}}}]
# The sample's own program, which serves until a time that its variables set.
PROGRAM = ("--", "/hello")


@pytest.fixture
def up(module_stack: Stack) -> Iterator[Stack]:
    """Give the module's stack with a service that has a secret, and see that no run outlives its test."""
    if not module_stack.names("gateway"):
        # A tenant of its own: one has one quota for all stacks of the host.
        tenant = module_stack.name
        set_secret(module_stack, "db", "planted-4711")
        scale = {"autoscaling.knative.dev/maxScale": "2"}
        module_stack.write("hello", service("hello", env=SECRET, template=scale, namespace=tenant))
        quotas = {"metadata": {"name": tenant}, "spec": {"quotas": {"instances": 2}}}
        module_stack.write("tenant", {"apiVersion": "runyard.dev/v1", "kind": "Tenant", **quotas})
        module_stack.up()
    yield module_stack
    until(lambda: module_stack.names("run") == [], "the runs are gone")


def secret(stack: Stack, verb: str, *arguments: str, given: str = "") -> str:
    """Have a secret of the stack's tenant changed or listed, as its user does, and give what is told."""
    options = ["-s", stack.name, "-t", stack.name, "--config-file", str(stack.directory / "stack.yaml")]
    done = subprocess.run(
        [sys.executable, "-m", "runyard.cli.main", "secret", verb, *options, *arguments],
        cwd=ROOT, env=stack.environment, input=given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "planted" not in done.stdout + done.stderr
    return done.stdout


def set_secret(stack: Stack, name: str, value: str) -> None:
    """Set a secret, and see that it is in the configuration once, encrypted, and can be taken away."""
    secret(stack, "import", "other.one", "-", given=f"A={value}\nB='c d'\n")
    secret(stack, "set", name, given=f"{value}\n")
    assert secret(stack, "set", name, given=f"{value}\n") == f"{stack.name}: {name} unchanged\n"
    assert secret(stack, "list") == f"{name}\nother.one/A\nother.one/B\n"
    secret(stack, "remove", "other.one")
    assert secret(stack, "list") == f"{name}\n"
    text = (stack.directory / "stack.yaml").read_text()
    assert ("secure:" in text, value in text) == (True, False)


def run(stack: Stack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return stack.runyard("run", "--tenant", stack.name, "hello", *arguments)


def instances(stack: Stack, *, runs: bool) -> list[dict[str, Any]]:
    """Give what `ps` lists of the service: its runs, or its instances that serve."""
    return [each for each in stack.told("ps", "--tenant", stack.name, "hello")["instances"] if each["run"] == runs]


def begin(stack: Stack) -> "subprocess.Popen[str]":
    """Begin a run that goes on until it is ended, and wait until it runs."""
    command = [sys.executable, "-m", "runyard.cli.main", "run", "-s", stack.name, "-t", stack.name, "hello"]
    process = subprocess.Popen(
        [*command, *PROGRAM], cwd=ROOT, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert '"event":"started"' in process.stdout.readline()
    return process


def test_run_ends_with_the_command_s_output_and_exit_code(up: Stack):
    ended = run(up, "-e", "EXIT_AFTER_MS=100", "-e", "EXIT_CODE=3", *PROGRAM)
    assert (ended.returncode, ended.stderr) == (3, ""), ended
    started, stopped = ended.stdout.splitlines()
    assert '"event":"started"' in started
    assert '"event":"stopped"' in stopped
    missing = run(up, "--", "/nothing")
    assert missing.returncode in (1, 127), missing
    assert "/nothing" in missing.stderr
    late = run(up, "--timeout", "1s", *PROGRAM)
    assert (late.returncode, "ended after the 1 s that it may take" in late.stderr) == (9, True), late
    wrong = run(up, "--container", "other", *PROGRAM)
    assert (wrong.returncode, "container must be one of" in wrong.stderr) == (2, True), wrong


def test_run_is_an_instance_that_serves_nobody_and_ends_with_who_asked(up: Stack):
    process = begin(up)
    (serves,) = instances(up, runs=False)
    (ours,) = instances(up, runs=True)
    assert (ours["state"], ours["revision"]) == ("running", serves["revision"])
    (name,), (instance,) = up.names("run"), up.names("instance")
    one, other = inspect(name), inspect(instance)
    for field in ("Memory", "CpuQuota", "PidsLimit", "CapDrop", "SecurityOpt", "ReadonlyRootfs", "NetworkMode"):
        assert one["HostConfig"][field] == other["HostConfig"][field]
    assert "planted-4711" not in str(one)
    # It is asked for no request, is no drift, and the quota has room for no other.
    answered = {up.get(f"hello.{up.name}.localhost").json()["instance"] for _ in range(4)}
    assert len(answered) == 1
    verified = up.verify()
    assert verified.returncode == 0, verified.stdout
    refused = run(up, *PROGRAM)
    assert (refused.returncode, "quota of instances must be at least 3" in refused.stderr) == (5, True), refused
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "interrupted, and stopped" in err) == (8, True), (out, err)
    assert '"event":"stopped"' in out
    assert up.names("run") == []


def test_run_outlives_a_restart_of_the_orchestrator_and_not_a_client_that_was_killed(up: Stack):
    process = begin(up)
    docker("restart", up.names("orchestrator")[0])
    until(lambda: up.runyard("ps").returncode == 0)
    (ours,) = instances(up, runs=True)
    assert (ours["state"], process.poll()) == ("running", None)
    process.kill()
    process.communicate(timeout=60)

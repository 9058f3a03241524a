import contextlib
import os
import random
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness.seeds import given_seed
from tests.harness.stack import Stack, descendants, docker, inspect, kill_group, service
from tests.harness.waiting import until

DEADLINE_S = 15
DEADLINE = {"serving.knative.dev/progress-deadline": f"{DEADLINE_S}s"}


# How a service can fail to become ready, and the words that tell of it.
BROKEN: dict[str, tuple[dict[str, object], list[str]]] = {
    "missing-image": ({"image": "runyard/no-such-image:1"}, ["runyard/no-such-image:1"]),
    "silent-port": (
        {"ports": [{"containerPort": 8080}], "env": [{"name": "LISTEN_PORT", "value": "9"}]},
        ["8080"],
    ),
    "exits": ({"env": [{"name": "FAIL_START", "value": "no database here"}]}, ["exit", "no database here"]),
    "broken-command": ({"command": ["/no-such-program"]}, ["no-such-program"]),
}


def reason(shown: str, name: str) -> str:
    """Give what Pulumi's diagnostics say of a service; the next resource begins with less indentation."""
    return re.split(r"\n  \S", shown.partition(f"runyard:index:Service (default.{name}):")[2])[0]


def revisions(stack: Stack) -> dict[str, str]:
    return {name: stack.get(f"{name}.localhost").json()["revision"] for name in BROKEN}


def test_failed_update_says_why_keeps_the_old_revisions_and_heals_with_good_manifests(shared: Stack):
    for name in BROKEN:
        shared.write(name, service(name, template=DEADLINE))
    shared.up()
    before = revisions(shared)

    for name, (broken, _) in BROKEN.items():
        shared.write(name, service(name, template=DEADLINE, **broken))
    # Pulumi would begin no other once one has failed.
    failed = shared.up("--continue-on-error", check=False)
    assert failed.returncode != 0
    for name, (_, words) in BROKEN.items():
        told = reason(failed.stdout, name)
        assert [each for each in words if each not in told] == [], failed.stdout
    assert revisions(shared) == before
    until(lambda: all(any(each in name for each in before.values()) for name in shared.names("instance", running=True)))

    for name in BROKEN:
        shared.write(name, service(name, template=DEADLINE, env=[{"name": "FIXED", "value": "yes"}]))
    shared.up()
    after = revisions(shared)
    assert [name for name in BROKEN if after[name] == before[name]] == []
    # What failed has left nothing behind: it is no revision to go back to.
    histories = {each["service"]: each["history"] for each in shared.status()["services"]}
    assert histories == {name: [after[name], before[name]] for name in BROKEN}
    until(lambda: shared.held() == {*before.values(), *after.values()})
    shared.expect_no_changes()


def test_failed_rollout_of_one_tenant_stops_no_other_and_keeps_what_it_was_to_replace(shared: Stack):
    for tenant in ("shop", "bank"):
        shared.write(f"{tenant}-old", service("old", namespace=tenant, template=DEADLINE))
    shared.up()
    for tenant in ("shop", "bank"):
        shared.remove(f"{tenant}-old")
    shared.write("shop-new", service("new", namespace="shop", template=DEADLINE, command=["/no-such-program"]))
    shared.write("bank-new", service("new", namespace="bank", template=DEADLINE))

    failed = shared.up(check=False)
    assert failed.returncode != 0
    assert "no-such-program" in failed.stdout + failed.stderr
    assert "shop/old stays, as the rollout of shop/new failed" in failed.stdout + failed.stderr
    assert [shared.get(f"{host}.localhost").status for host in ("new.bank", "old.bank")] == [200, 404]
    assert shared.get("old.shop.localhost").status == 200
    # Nobody's program broke on the way: only what is named above has failed.
    assert "Traceback" not in failed.stdout + failed.stderr

    shared.write("shop-new", service("new", namespace="shop", template=DEADLINE))
    shared.up()
    assert [shared.get(f"{host}.localhost").status for host in ("new.shop", "old.shop")] == [200, 404]
    shared.expect_no_changes()


def test_failed_update_leaves_callees_times_and_hosts_as_they_were(shared: Stack):
    def found() -> tuple[object, ...]:
        (subject,) = (each for each in shared.status()["services"] if each["service"] == "hello")
        return subject["uses"], subject["hosts"], shared.get("hello.localhost", "/sleep?ms=1500").status

    routes = {"runyard.dev/routes": "old.example.com"}
    shared.write("cart", service("cart"))
    shared.write("hello", service("hello", annotations={"runyard.dev/uses": "cart", **routes}, template=DEADLINE))
    shared.up()
    before = found()
    assert before == (["cart"], ["hello.localhost", "old.example.com"], 200)

    changed = service("hello", template=DEADLINE, env=[{"name": "FAIL_START", "value": "no database here"}])
    changed["spec"]["template"]["spec"]["timeoutSeconds"] = 1
    shared.write("hello", changed)
    assert shared.up(check=False).returncode != 0
    assert found() == before

    del changed["spec"]["template"]["spec"]["containers"][0]["env"]
    shared.write("hello", changed)
    shared.up()
    until(lambda: found() == ([], ["hello.localhost"], 504))
    shared.expect_no_changes()


def test_strangers_container_with_a_clashing_name_is_named_and_left_alone(stack: Stack):
    name = f"runyard.{stack.name}.gateway"
    docker("create", "--name", name, "runyard/hello:1")
    before = inspect(name)["Id"]
    try:
        stack.write("hello", service("hello"))
        refused = stack.up(check=False)
        assert refused.returncode != 0
        assert f"container {name} ({before[:12]}): is not Runyard's" in refused.stdout + refused.stderr
        assert inspect(name)["Id"] == before
        assert stack.left_on_host() == []
    finally:
        docker("rm", name)
    stack.up()
    assert stack.get("hello.localhost").status == 200


# Points at which the output of `up` says that a step has begun; the next `up` must converge from each.
STEPS = ["network:Network", "index:Network", "index:Volume", "SigningKey", "gateway.container",
         "orchestrator.container", "standby.container", "index:Service"]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_first_update_killed_at_a_step_converges_at_the_next(stack: Stack, step):
    seed = given_seed()
    stack.write("hello", service("hello"))
    update = stack.start_up()
    for line in update.stdout:
        if step in line and "creating" in line:
            # Somewhere within the step, so that repeated runs try different moments of it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                update.wait(timeout=random.Random(seed).random() * 0.3)
            break
    kill_group(update)
    update.stdout.close()
    stale = stack.up(check=False)
    if stale.returncode:
        assert "currently locked" in stale.stdout + stale.stderr
        stack.pulumi("cancel", "--yes", "--stack", stack.name)
        stack.up()
    assert stack.get("hello.localhost").status == 200
    assert len(stack.held()) == 1
    until(lambda: len(stack.names("instance")) == 1)
    stack.expect_no_changes()


def test_update_killed_in_the_middle_of_a_change_converges_at_the_next(shared: Stack):
    shared.write("hello", service("hello"))
    shared.up()
    shared.write("hello", service("hello", env=[{"name": "A", "value": "b"}]))
    update = shared.start_up()
    for line in update.stdout:
        if "index:Service" in line and "updating" in line:
            break
    # The CLI alone, as the OOM killer does. Pulumi's own plugins go on, idle; what is ours must not.
    helpers = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(update.pid)}
    update.kill()
    update.wait()
    update.stdout.close()
    ours = ("pulumi-language-python", "-m\0provider", "-m\0policies")
    programs = [pid for pid, command in helpers.items() if any(each in command for each in ours)]
    assert len(programs) >= 2
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in programs), within_s=30)
    for pid in helpers.keys() - set(programs):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert shared.get("hello.localhost").status == 200
    shared.pulumi("cancel", "--yes", "--stack", shared.name)
    shared.up()
    # The revision before, kept.
    assert len(shared.held()) == 2
    until(lambda: len(shared.names("instance")) == 1, within_s=30)
    shared.expect_no_changes()

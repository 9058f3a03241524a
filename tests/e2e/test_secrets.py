"""Secrets attacked: from beside and inside an instance, by a user of the host, by rotation, and by a crash between."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.canary import files_with, forms, holds, kept, told, watching
from tests.harness.stack import LIMITS, Stack, docker, inspect, new_stack, service
from tests.harness.waiting import until

FIRST, SECOND = "canary-first-8d1f27c4", "canary-second-b6e093a5"
SHELL = "debian:bookworm-slim"
# Of no image and no user of this host.
HOLDER, NOBODY = 23456, 65534


def side(name: str, **parts: Any) -> dict[str, Any]:
    """Make a container that does nothing, in which one can look around."""
    return {"name": name, "image": SHELL, "command": ["sleep", "3600"], "resources": {"limits": LIMITS}, **parts}


def keeper() -> dict[str, Any]:
    """Make a service whose `holder` has a secret as a variable and as a file, and whose `nosy` has none."""
    reference = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "latest"}}}
    deadline = {"serving.knative.dev/progress-deadline": "30s"}
    manifest = service("keeper", name="main", template=deadline, env=[reference], ports=[{"containerPort": 8080}])
    mount = {"name": "token", "mountPath": "/secrets"}
    pod = manifest["spec"]["template"]["spec"]
    pod["containers"] += [
        side("holder", env=[reference], volumeMounts=[mount], securityContext={"runAsUser": HOLDER}),
        side("nosy"),
    ]
    secret = {"secretName": "api", "defaultMode": 0o400, "items": [{"key": "latest", "path": "token"}]}
    pod["volumes"] = [{"name": "token", "secret": secret}]
    return manifest


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with a service that has a secret, and one of another tenant that has none."""
    with new_stack(tmp_path_factory, "secrets") as made:
        made.set_secret("runyard:secrets.default.api", FIRST)
        made.write("keeper", keeper())
        stranger = service("stranger", namespace="other", name="main", ports=[{"containerPort": 8080}])
        stranger["spec"]["template"]["spec"]["containers"].append(side("nosy"))
        made.write("stranger", stranger)
        with watching(FIRST):
            made.up()
        yield made


def container(stack: Stack, name: str, service_name: str = "keeper") -> str:
    """Find the running container of an instance."""
    labels = (f"service={service_name}", f"container={name}", f"stack={stack.name}")
    found = docker("ps", "--quiet", "--no-trunc", *(f"--filter=label=runyard.dev/{each}" for each in labels)).split()
    assert found, f"{service_name} has no container {name}"
    return found[0]


def look(container_id: str, script: str, user: str = "0") -> bytes:
    """Run a shell's script in a container and give all that it prints, errors too."""
    command = ["docker", "exec", "--user", user, container_id, "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout + done.stderr


# All that a shell can read of processes and files; the files of /proc by name, since most of the others have no end.
EVERYTHING = (
    "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/task/*/environ /proc/[0-9]*/mountinfo;"
    "cat /proc/[0-9]*/root/secrets/*; head -c 65536 /proc/1/fd/0;"
    "find / -xdev -type f -size -1000 -not -path '/proc/*' -not -path '/usr/*' -not -path '/sys/*' -exec cat {} +;"
    "find /dev/shm /tmp /run /mnt /secrets -type f -exec cat {} +"
)


def test_who_has_the_secret_sees_it_and_nobody_beside_it_does(stack: Stack):
    assert stack.get("keeper.localhost", "/env").json()["TOKEN"] == FIRST
    holder = container(stack, "holder")
    # What is looked at would show it: its own user finds it both as a variable and as a file.
    assert look(holder, "cat /proc/1/environ", str(HOLDER)).count(FIRST.encode()) == 1
    assert look(holder, "cat /secrets/token", str(HOLDER)) == FIRST.encode()
    assert holds(look(holder, EVERYTHING, str(HOLDER)), (FIRST,))
    # Another user of the same container, the other container of the instance, and another tenant's.
    assert not holds(look(holder, EVERYTHING, str(NOBODY)), (FIRST,))
    assert not holds(look(container(stack, "nosy"), EVERYTHING), (FIRST,))
    assert not holds(look(container(stack, "nosy", "stranger"), EVERYTHING), (FIRST,))
    assert look(holder, "readlink /proc/1/fd/0", str(HOLDER)) == b"/dev/null\n"


def test_launchers_volume_holds_a_program_and_can_be_changed_by_nobody(stack: Stack):
    holder = container(stack, "holder")
    mounts = [each for each in inspect(holder)["Mounts"] if each.get("Name", "").endswith(".launcher")]
    assert [each["RW"] for each in mounts] == [False]
    place = mounts[0]["Destination"]
    assert look(holder, f"find {place} -type f").split() == [f"{place}/launch".encode()]
    for attempt in (f"touch {place}/x", f"cp /bin/true {place}/launch", f"mount -o remount,rw {place}"):
        assert look(holder, f"{attempt} && echo done").split()[-1:] != [b"done"]
    others = inspect(container(stack, "nosy"))["Mounts"]
    assert [each for each in others if each.get("Name", "").endswith(".launcher")] == []


def test_secret_of_another_tenant_cannot_be_asked_for(stack: Stack):
    thief = service("thief", namespace="other", env=keeper()["spec"]["template"]["spec"]["containers"][0]["env"])
    stack.write("thief", thief)
    try:
        refused = stack.up(check=False)
    finally:
        stack.remove("thief")
    assert refused.returncode != 0
    assert "secret api has no key latest in this stack" in refused.stdout + refused.stderr
    assert not holds((refused.stdout + refused.stderr).encode(), (FIRST,))


def as_user(user: int, *command: str, group: int | None = None) -> bytes:
    """Run a command on the host as a user and group of these numbers (equal by default), and give all it prints."""
    lower = ["setpriv", f"--reuid={user}", f"--regid={user if group is None else group}", "--clear-groups"]
    done = subprocess.run([*lower, "--no-new-privs", *command], capture_output=True, check=False)
    return done.stdout + done.stderr


def test_ordinary_user_of_the_host_reads_it_nowhere(stack: Stack):
    pid = inspect(container(stack, "holder"))["State"]["Pid"]
    environ = f"/proc/{pid}/environ"
    assert FIRST.encode() in Path(environ).read_bytes()
    root = docker("info", "--format", "{{.DockerRootDir}}").strip()
    places = [environ, f"/proc/{pid}/mem", f"/proc/{pid}/root/secrets/token", f"/proc/{pid}/fd/0"]
    for place in places:
        assert b"denied" in as_user(NOBODY, "head", "-c", "99", place)
    for place in (root, f"{root}/volumes", f"{root}/containers"):
        assert b"denied" in as_user(NOBODY, "ls", place)
    assert b"denied" in as_user(NOBODY, "docker", "inspect", container(stack, "holder"))
    address = f"http://127.0.0.1:{stack.orchestrator_port}/v1/status"
    assert not holds(as_user(NOBODY, "curl", "-sS", address), (FIRST,))


def test_user_of_the_host_needs_the_instances_number_and_group(stack: Stack):
    # User namespaces are not remapped, and to the kernel these numbers are who one is: docs/security.md says so.
    environ = f"/proc/{inspect(container(stack, 'holder'))['State']['Pid']}/environ"
    assert b"denied" in as_user(HOLDER, "cat", environ)
    # Without a group of its own, a container's user has root's.
    assert FIRST.encode() in as_user(HOLDER, "cat", environ, group=0)


def test_crash_between_making_and_delivering_loses_and_leaves_nothing(stack: Stack):
    orchestrator = f"runyard.{stack.name}.orchestrator"
    with watching(FIRST):
        for _ in range(3):
            before = container(stack, "holder")
            docker("rm", "--force", before)
            # As soon as there is a new one, started or not: the value is on its way or not yet.
            until(lambda gone=before: set(all_holders(stack)) - {gone}, every_s=0.001)
            docker("kill", orchestrator)
            docker("start", orchestrator)
            until(lambda: whole(stack, FIRST), "the instance has its secret again")
    assert_nowhere(stack, FIRST)


def all_holders(stack: Stack) -> list[str]:
    labels = ("service=keeper", "container=holder", f"stack={stack.name}")
    return docker("ps", "--all", "--quiet", "--no-trunc", *(f"--filter=label=runyard.dev/{x}" for x in labels)).split()


def whole(stack: Stack, value: str) -> bool:
    """Tell whether the instance serves and has the value in each container that should."""
    try:
        served = stack.get("keeper.localhost", "/env").json().get("TOKEN") == value
        return served and look(container(stack, "holder"), "cat /secrets/token", str(HOLDER)) == value.encode()
    except AssertionError:
        return False


def assert_nowhere(stack: Stack, *values: str) -> None:
    """Look for values in everything that is kept."""
    assert files_with(kept(stack), values) == []


def test_rotated_secret_is_delivered_and_neither_is_found_anywhere(stack: Stack):
    stack.set_secret("runyard:secrets.default.api", SECOND)
    with watching(FIRST, SECOND):
        shown = stack.preview("--diff").stdout
        done = stack.up()
    assert not holds((shown + done.stdout + done.stderr).encode(), (FIRST, SECOND))
    until(lambda: whole(stack, SECOND), "the new value is there")
    assert not holds(look(container(stack, "holder"), EVERYTHING, str(HOLDER)), (FIRST,))
    assert_nowhere(stack, FIRST, SECOND)
    # The whole of it once: what tells takes Pulumi and our commands many starts.
    assert [where for where, text in told(stack).items() if holds(text, (FIRST, SECOND))] == []
    stack.expect_no_changes()


def test_failing_update_tells_no_value(stack: Stack):
    broken = keeper()
    # The launcher cannot find it, and says so in the instance's log, which the error shows.
    broken["spec"]["template"]["spec"]["containers"][1]["command"] = ["/no/such/program"]
    stack.write("keeper", broken)
    try:
        failed = stack.up(check=False)
    finally:
        stack.write("keeper", keeper())
    assert failed.returncode != 0
    assert "/no/such/program" in failed.stdout + failed.stderr
    assert not holds((failed.stdout + failed.stderr).encode(), (FIRST, SECOND))
    assert_nowhere(stack, FIRST, SECOND)


def test_scan_finds_what_is_planted(tmp_path: Path):
    """The scan itself: each form is found in a file, and a command line is seen."""
    for index, form in enumerate(forms(FIRST)):
        (tmp_path / str(index)).write_bytes(b"\x00..." + form + b"...")
    assert len(files_with([tmp_path], (FIRST,))) == len(forms(FIRST))
    (tmp_path / "none").write_text(SECOND)
    assert len(files_with([tmp_path], (FIRST,))) == len(forms(FIRST))
    # It waits for a line until its input is closed.
    with (
        subprocess.Popen(["sh", "-c", "read line", FIRST], stdin=subprocess.PIPE),
        pytest.raises(AssertionError, match=FIRST),
        watching(FIRST) as watch,
    ):
        until(lambda: watch.seen, "it is seen")

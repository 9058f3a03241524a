"""What happens behind Runyard's back: shown by the preview or by status, mended by the orchestrator or the next update.

Nothing that merely says it is ours is adopted, served or removed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest

from tests.harness.stack import Stack, docker, inspect, new_stack, service
from tests.harness.waiting import until

# So many that each edit below is the first or second of its instance: after more, the orchestrator waits longer.
COUNT = 6
SEVERAL = {"autoscaling.knative.dev/minScale": str(COUNT)}
# An id as the orchestrator gives them, of an instance that it never made.
FORGED = "0123456789ab"
HOSTS = ("hello.localhost", "other.localhost")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack that is up, to be damaged and mended by each test in turn."""
    with new_stack(tmp_path_factory, "trust") as made:
        made.write("hello", service("hello", template=SEVERAL))
        made.write("other", service("other"))
        made.up()
        yield made


def part(stack: Stack, name: str) -> str:
    return f"runyard.{stack.name}.{name}"


def instances(stack: Stack, name: str = "hello") -> list[str]:
    found = [each for each in stack.names("instance", running=True) if f".default.{name}-" in each]
    return [each for each in found if not each.endswith(FORGED)]


def ids(stack: Stack) -> set[str]:
    # In one answer: what is listed first and looked at then may be gone between.
    labels = (f"label=runyard.dev/stack={stack.name}", "label=runyard.dev/role=instance")
    return {*docker("ps", "--quiet", "--no-trunc", *(word for each in labels for word in ("--filter", each))).split()}


def whole(stack: Stack) -> bool:
    """Tell whether all serve: every instance of one service and one of the other, and the orchestrator is in step."""
    counts = [len(instances(stack, name)) for name in ("hello", "other")]
    return counts == [COUNT, 1] and stack.status()["in_step"] and all(stack.get(host).status == 200 for host in HOSTS)


def mend(stack: Stack) -> None:
    """Do what `make up` does when something has gone from the host, and wait until all serve."""
    stack.pulumi("refresh", "--yes", "--skip-preview", "--stack", stack.name)
    stack.up()
    until(lambda: whole(stack))


@pytest.fixture(autouse=True)
def left_whole(stack: Stack) -> Iterator[None]:
    """Mend what a test that failed has left broken, so that the next one tells of itself."""
    yield
    with contextlib.suppress(OSError, IndexError, AssertionError):
        until(lambda: whole(stack))
        return
    mend(stack)


def lose_network(stack: Stack) -> None:
    network = part(stack, "tenant.default")
    for name in stack.names("instance"):
        docker("rm", "--force", name)
    # At once: either would start the other, and what it runs.
    docker("kill", part(stack, "orchestrator"), part(stack, "standby"))
    for name in stack.names("instance"):
        docker("rm", "--force", name)
    docker("network", "rm", network)


def lose_volume(name: str) -> Callable[[Stack], None]:
    def lose(stack: Stack) -> None:
        volume = part(stack, name)
        for user in docker("ps", "--all", "--quiet", "--filter", f"volume={volume}").split():
            docker("rm", "--force", user)
        docker("volume", "rm", volume)

    return lose


# What the provider of Pulumi's Docker plugin does not look at: an update typed by hand is refused with the names.
# Together goes what does not hide the loss of the other, for a round takes five commands of Pulumi.
Loss = tuple[Callable[[Stack], None], str]
LOST: dict[str, tuple[Loss, ...]] = {
    "parts": (
        (lambda stack: docker("rm", "--force", part(stack, "gateway")), "container {}gateway"),
        (lambda stack: docker("rm", "--force", part(stack, "orchestrator")), "container {}orchestrator"),
    ),
    "network": ((lose_network, "network {}tenant.default"),),
    "volumes": (
        (lose_volume("gateway"), "volume {}gateway"),
        (lose_volume("orchestrator"), "volume {}orchestrator"),
        (lose_volume("launcher"), "volume {}launcher"),
    ),
}


@pytest.mark.parametrize("lost", LOST)
def test_lost_networks_volumes_or_parts_are_named_and_come_back_with_a_refresh(stack: Stack, lost: str):
    for lose, _ in LOST[lost]:
        lose(stack)
    named = [name.format(part(stack, "")) for _, name in LOST[lost]]
    shown, refused = stack.preview("--diff"), stack.up(check=False)
    assert refused.returncode != 0
    for done, begins in (
        (shown, "gone from the host, an update makes it anew: "),
        (refused, "gone from the host, and Pulumi has not seen it: "),
    ):
        told = (done.stdout + done.stderr).partition(begins)[2].partition("\n")[0]
        assert [each for each in named if each not in told] == [], done.stdout + done.stderr
    mend(stack)
    stack.expect_no_changes()


def test_orchestrator_without_its_volume_takes_no_route_and_no_instance_away(stack: Stack):
    before = ids(stack)
    name, volume = part(stack, "orchestrator"), part(stack, "orchestrator")
    docker("exec", name, "sh", "-c", "rm -rf /var/lib/runyard/orchestrator/*")
    docker("restart", "--time", "1", name)
    until(lambda: stack.status()["generation"] >= 0)
    assert docker("volume", "ls", "--quiet", "--filter", f"name={volume}").split()
    assert [stack.get(host).status for host in HOSTS] == [200, 200]
    assert ids(stack) == before
    shown = stack.preview("--diff").stdout
    assert shown.count("runyard:index:Service: (update)") == 2, shown
    stack.up()
    until(lambda: whole(stack))
    # Taken back, not made anew: what runs is what its document makes.
    assert ids(stack) == before
    stack.expect_no_changes()


def test_parts_that_stand_still_are_started_by_the_next_update(stack: Stack):
    # At once, or one of the orchestrators would start the rest.
    docker("kill", *(part(stack, name) for name in ("gateway", "orchestrator", "standby", "firewall")))
    stack.up()
    until(lambda: whole(stack))
    stack.expect_no_changes()


# Each is done to one instance, which is then no longer what its document makes.
EDITS: dict[str, tuple[str, ...]] = {
    "killed": ("kill", "{}"),
    "stopped": ("stop", "--time", "1", "{}"),
    "removed": ("rm", "--force", "{}"),
    "paused": ("pause", "{}"),
    "renamed": ("rename", "{}", "{}x"),
    "given-more-memory": ("update", "--memory", "1g", "--memory-swap", "1g", "{}"),
    "given-more-processor": ("update", "--cpu-quota", "200000", "{}"),
    "restarted-by-the-engine": ("update", "--restart", "always", "{}"),
    "cut-off": ("network", "disconnect", "--force", "{network}", "{}"),
    "on-a-second-network": ("network", "connect", "{platform}", "{}"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_instance_that_is_no_longer_what_its_document_makes_is_replaced(stack: Stack, edit: str):
    victim = instances(stack)[0]
    before = inspect(victim)["Id"]
    places = {"network": part(stack, "tenant.default"), "platform": part(stack, "platform")}
    docker(*(word.format(victim, **places) for word in EDITS[edit]))
    until(lambda: before not in ids(stack) and whole(stack), within_s=45)
    stack.expect_no_changes()


def test_prune_of_stopped_containers_takes_nothing(stack: Stack):
    before = ids(stack)
    docker("container", "prune", "--force", "--filter", f"label=runyard.dev/stack={stack.name}")
    assert ids(stack) == before
    assert whole(stack)
    stack.expect_no_changes()


def labels_of(stack: Stack, name: str = "hello") -> dict[str, str]:
    found: dict[str, str] = inspect(instances(stack, name)[0])["Config"]["Labels"]
    return found


# Where a container that says it is an instance of `hello` may stand, and what it may be called.
FORGERIES: dict[str, tuple[str, ...]] = {
    "labels": (),
    "labels-on-the-network": ("--network", "{network}"),
    "labels-and-name": ("--network", "{network}", "--name", "{name}"),
}


def test_containers_that_only_say_that_they_are_instances_get_no_request_and_are_left_alone(stack: Stack):
    labels = labels_of(stack)
    # As the orchestrator would call the next one.
    name = instances(stack)[0].rpartition(".")[0] + f".{FORGED}"
    said = [f"--label={key}={FORGED if key == 'runyard.dev/instance' else value}" for key, value in labels.items()]
    forged = {}
    try:
        for forgery, places in FORGERIES.items():
            words = [word.format(network=part(stack, "tenant.default"), name=name) for word in places]
            run = ("run", "--detach", "--env", "K_REVISION=forged", *words, *said, "runyard/hello:1")
            forged[forgery] = docker(*run).strip()
        assert "forged" not in answering(stack)
        called = {forgery: inspect(each)["Name"].removeprefix("/") for forgery, each in forged.items()}

        def untold() -> list[str]:
            problems = stack.status()["problems"]
            return [
                forgery for forgery, each in called.items() if not any(f"container {each} has" in it for it in problems)
            ]

        until(lambda: untold() == [], "status names every forgery")
        stack.up()
        assert [forgery for forgery, each in forged.items() if not inspect(each)["State"]["Running"]] == []
        assert "forged" not in answering(stack)
        assert whole(stack)
    finally:
        for each in forged.values():
            docker("rm", "--force", each)
    until(lambda: whole(stack))
    stack.expect_no_changes()


def restart(stack: Stack) -> None:
    """Restart both orchestrators, so that whoever leads then has read what is kept."""
    docker("restart", "--time", "1", *(part(stack, each) for each in ("orchestrator", "standby")))


def answering(stack: Stack) -> set[str]:
    return {stack.get("hello.localhost").json()["revision"] for _ in range(40)}


def test_document_that_somebody_wrote_is_not_used(stack: Stack):
    orchestrator = part(stack, "orchestrator")
    before = ids(stack)
    found = docker("exec", orchestrator, "sh", "-c", "grep -rl hello /var/lib/runyard/orchestrator").split()
    (document,) = [path for path in found if "/documents/" in path and "hello" in path]
    signed = json.loads(docker("exec", orchestrator, "cat", document))
    forged = signed | {"document": signed["document"].replace('"pids_limit":256', '"pids_limit":4000')}
    assert forged != signed
    docker("exec", orchestrator, "sh", "-c", f"printf %s '{json.dumps(forged)}' > {document}")
    restart(stack)
    until(lambda: any("signature" in each for each in stack.status()["problems"]))
    assert all(stack.get(host).status == 200 for host in HOSTS)
    assert "runyard:index:Service: (update)" in stack.preview("--diff").stdout
    stack.up()
    until(lambda: whole(stack))
    assert ids(stack) == before
    assert {inspect(each)["HostConfig"]["PidsLimit"] for each in stack.names("instance")} == {256}
    stack.expect_no_changes()


def test_book_that_is_lost_is_written_anew_from_what_runs(stack: Stack):
    before = ids(stack)
    orchestrator = part(stack, "orchestrator")
    docker("exec", orchestrator, "sh", "-c", "rm -rf /var/lib/runyard/orchestrator/instances")
    restart(stack)
    until(lambda: whole(stack))
    assert ids(stack) == before
    stack.expect_no_changes()


def test_moved_tag_is_told_and_moves_no_revision(stack: Stack):
    revision = stack.get("hello.localhost").json()["revision"]
    docker("tag", "runyard/hello:1", "runyard/trust:1")
    try:
        stack.write("hello", service("hello", image="runyard/trust:1", template=SEVERAL))
        stack.up()
        moved = stack.get("hello.localhost").json()["revision"]
        assert moved != revision
        base = inspect(part(stack, "gateway"))["Config"]["Image"]
        docker("tag", base, "runyard/trust:1")
        shown = stack.preview("--diff")
        assert "runyard/trust:1" in shown.stdout + shown.stderr
        stack.expect_no_changes()
        docker("kill", instances(stack)[0])
        until(lambda: whole(stack))
        assert stack.get("hello.localhost").json()["revision"] == moved
    finally:
        stack.write("hello", service("hello", template=SEVERAL))
        stack.up()
        docker("image", "rm", "--force", "runyard/trust:1")
    until(lambda: whole(stack))

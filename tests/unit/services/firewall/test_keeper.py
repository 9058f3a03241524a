"""The keeper of the firewall's rules, in its image with the real nft and kernel, in network namespaces of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from runyard.images import image_reference
from runyard.plan import plan
from runyard.plan.firewall import render_rules
from tests.harness.stack import docker
from tests.harness.waiting import until
from tests.unit.runyard.plan.example import manifests

pytestmark = pytest.mark.engine

RULES = render_rules(plan(manifests(), "dev"))
TABLE = ("table", "ip", "runyard.dev")


@dataclass(frozen=True)
class Keeper:
    """A container of the image without a network but its own loopback."""

    name: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        executed = ["docker", "exec", self.name, *command]
        return subprocess.run(executed, capture_output=True, text=True, timeout=60, check=False)

    def nft(self, *arguments: str) -> str:
        done = self.run("nft", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def check(self) -> str:
        """Give nothing if the rules are in force, or why not."""
        done = self.run("runyard-firewall", "check")
        return done.stderr.strip() if done.returncode else ""

    def log(self) -> list[str]:
        return subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True).stderr.split(
            "\n"
        )


def start(rules: str, *, capabilities: tuple[str, ...] = ("NET_ADMIN",)) -> Keeper:
    name = f"runyard-test-keeper-{secrets.token_hex(4)}"
    added = [word for each in capabilities for word in ("--cap-add", each)]
    docker(
        *("run", "--detach", "--name", name, "--network", "none", "--cap-drop", "ALL", *added),
        *("--read-only", "--tmpfs", "/run", "--security-opt", "no-new-privileges", "--memory", "64m"),
        *("--env", "RUNYARD_STACK=dev", "--env", f"RUNYARD_RULES={rules}", image_reference("firewall")),
    )
    return Keeper(name)


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    made = start(RULES)
    try:
        until(lambda: made.check() == "", "the rules are in force")
        yield made
    finally:
        docker("rm", "--force", made.name)


def test_rules_of_a_plan_are_what_the_kernel_then_has(keeper: Keeper) -> None:
    until(lambda: keeper.check() == "", "the rules are in force")
    objects = json.loads(keeper.nft("--json", "list", "ruleset"))["nftables"]
    kinds = [kind for each in objects for kind in each if kind != "metainfo"]
    assert {kind: kinds.count(kind) for kind in kinds} == {"table": 1, "ct timeout": 1, "set": 2, "chain": 1, "rule": 9}
    comments = [each["rule"]["comment"] for each in objects if "rule" in each]
    assert all(each.startswith("runyard.dev: ") for each in comments)


@pytest.mark.parametrize(
    "change",
    [
        ("flush", "ruleset"),
        ("delete", *TABLE),
        ("flush", "chain", *TABLE[1:], "instances"),
        ("insert", "rule", *TABLE[1:], "instances", "accept"),
        ("add", "chain", *TABLE[1:], "other"),
    ],
    ids=" ".join,
)
def test_rules_that_somebody_changed_come_back_at_once(keeper: Keeper, change: tuple[str, ...]) -> None:
    before = keeper.nft("--stateless", "list", *TABLE)
    keeper.nft(*change)
    # The kernel tells of it; without that, nobody would look for half a minute.
    until(lambda: keeper.check() == "", "the rules are back")
    assert keeper.nft("--stateless", "list", *TABLE) == before


def test_addresses_that_packets_put_into_the_sets_are_no_change_and_stay(keeper: Keeper) -> None:
    keeper.nft("add", "element", *TABLE[1:], "starts", "{ 10.9.8.7 limit rate over 500/second burst 1000 packets }")
    assert keeper.check() == ""
    # Another change has the keeper look, and find nothing to put.
    keeper.nft("add", "table", "ip", "others")
    keeper.nft("delete", "table", "ip", "others")
    assert keeper.check() == ""
    assert "10.9.8.7" in keeper.nft("list", "set", *TABLE[1:], "starts")


def test_tables_of_others_are_left_alone(keeper: Keeper) -> None:
    keeper.nft("add", "table", "ip", "others")
    keeper.nft("delete", *TABLE)
    until(lambda: keeper.check() == "", "the rules are back")
    assert "table ip others" in keeper.nft("list", "tables")
    keeper.nft("delete", "table", "ip", "others")


def test_trying_rules_changes_nothing_and_tells_what_is_wrong_with_them(keeper: Keeper) -> None:
    assert keeper.run("runyard-firewall", "try").returncode == 0
    wrong = keeper.run("env", "RUNYARD_RULES=table ip runyard.dev { chain a { nonsense } }", "runyard-firewall", "try")
    assert wrong.returncode == 1
    assert "Error: syntax error" in wrong.stderr
    assert keeper.check() == ""


def test_rules_outlive_their_keeper_and_go_when_they_are_removed() -> None:
    made = start(RULES)
    try:
        until(lambda: made.check() == "", "the rules are in force")
        # Removing twice is as good as once; the keeper, which still is there, puts them back.
        for _ in range(2):
            assert made.run("runyard-firewall", "remove").returncode == 0
        until(lambda: made.check() == "", "the rules are back")
        docker("stop", "--time", "10", made.name)
        # 0 is the answer to SIGTERM; killed after ten seconds it would be 137.
        assert docker("inspect", "--format", "{{.State.ExitCode}}", made.name).strip() == "0"
    finally:
        docker("rm", "--force", made.name)


def test_keeper_that_may_not_goes_on_and_says_why_on_one_line() -> None:
    made = start(RULES, capabilities=())
    try:
        until(lambda: "not permitted" in made.check(), "it has tried")
        assert "\n" not in made.check()
        (first, *_) = (line for line in made.log() if "not in force" in line)
        assert first.startswith("the rules are not in force: nft: ")
        assert first.endswith("Operation not permitted")
        assert made.run("runyard-firewall", "try").returncode == 1
    finally:
        docker("rm", "--force", made.name)


def test_command_that_there_is_not_is_refused(keeper: Keeper) -> None:
    done = keeper.run("runyard-firewall", "open")
    assert (done.returncode, done.stderr) == (1, 'must be keep, try, check or remove, got ["open"]\n')
    done = keeper.run("env", "RUNYARD_STACK=", "runyard-firewall", "check")
    assert done.stderr == "RUNYARD_STACK: must name the stack, got nothing\n"

"""A drill: a stack that serves, keeps and bills is backed up while it is asked, lost with its host, and restored."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyrage import x25519

from runyard import names
from tests.e2e.ledger import AN_HOUR
from tests.e2e.load import Load
from tests.harness.client import ask
from tests.harness.ports import free_ports
from tests.harness.stack import docker, inspect, service
from tests.harness.team import Team, new_team
from tests.harness.waiting import until

# Requests a second, while a backup is taken.
RATE = 20
PLANTED = "planted-4711"


class Shop(NamedTuple):
    """A team whose stack has a ledger, at a port of its own."""

    team: Team
    billing: int


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with new_team(tmp_path_factory.mktemp("backup")) as team:
        billing, meter = free_ports(2)
        tls = {"mode": "local", "port": team.ports.tls, "redirect": False}
        team.platform(gateway={"tls": tls}, billing="on", billingPort=billing, observability={"meterPort": meter})
        team.write("hello", service("hello", annotations={"runyard.dev/volumes": "notes=1Gi:/notes"}))
        team.type("runyard up")
        team.type(f"{pulumi(team)} config set --secret --path runyard:secrets.default.word {PLANTED}")
        yield Shop(team, billing)


def pulumi(team: Team) -> str:
    """Give what a user types to have Pulumi itself at the stack."""
    return f". {shlex.quote(str(team.data / 'env'))} && pulumi --stack {team.stack}"


def has_ledger(shop: Shop) -> bool:
    lines = ask(shop.billing, "/metrics").text.splitlines()
    return any(line.startswith("runyard_billing_ledger_up 1") for line in lines)


def notes(team: Team) -> str:
    return names.persistent_volume(team.stack, "default", "notes")


def part(team: Team, name: str) -> str:
    return names.platform_container(team.stack, name)


def kept_note(team: Team) -> bytes:
    (volume,) = json.loads(docker("volume", "inspect", notes(team)))
    return Path(volume["Mountpoint"], "note").read_bytes()


def get(team: Team, path: str = "/") -> Any:
    return ask(team.ports.edge, path, headers={"Host": "hello.localhost"})


def identity(shop: Shop) -> dict[str, Any]:
    """Tell what must be the same in the stack that was restored."""
    team = shop.team
    until(lambda: get(team).status == 200, "the service answers")
    until(lambda: has_ledger(shop), "the ledger is up", within_s=150)
    bills = json.loads(team.type("runyard invoice shop 2026-10 -o json"))
    return {
        "authority": team.type("runyard trust --print"),
        "key": [each for each in inspect(part(team, "orchestrator"))["Config"]["Env"] if "PUBLIC_KEY" in each],
        "bills": bills,
        "revision": get(team).json()["revision"],
        "word": team.type(f"{pulumi(team)} config get --path runyard:secrets.default.word"),
        "note": kept_note(team),
    }


def lose(team: Team) -> None:
    """Lose the host and the user's data: all that is left is the repository as git has it, and the backups."""
    team.type("runyard release --everything")
    docker("volume", "rm", notes(team))
    shutil.rmtree(team.data)
    shutil.rmtree(team.directory / "stacks")
    assert team.left_on_host() == ""


def test_stack_that_is_lost_with_its_host_is_restored_to_the_cent(shop: Shop, tmp_path: Path) -> None:
    team = shop.team
    assert get(team, "/write?path=/notes/note").status == 200
    until(lambda: has_ledger(shop), "the ledger is up", within_s=150)
    docker("exec", part(team, "billing"), "python3", "-c", AN_HOUR)
    team.type("runyard invoice shop 2026-10 --issue")
    before = identity(shop)
    assert before["word"] == f"{PLANTED}\n"

    key = x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"# for the drill\n{key}\n")
    with Load(team.ports.edge, "hello.localhost", RATE) as load:
        said = team.type(f"runyard backup --to {tmp_path} --keep 1 --recipient {key.to_public()}")
    assert (load.failures, load.total > 0) == ({}, True)
    assert "the passphrase is not in it" not in said
    (file,) = tmp_path.glob(f"runyard-{team.stack}-*.tar.gz.age")
    assert file.stat().st_mode & 0o777 == 0o600
    assert PLANTED.encode() not in file.read_bytes()
    standing = f"restore stack {team.stack}: it is there"
    assert standing in team.type(f"runyard restore {file} --identity {tmp_path}/key.txt", fails_with=1)

    (kept,) = (team.data / "state").glob(f".pulumi/stacks/*/{team.stack}.json")
    kept.unlink()
    team.type(f"runyard restore {file} --identity {tmp_path}/key.txt --state-only")
    team.type("runyard preview --force --expect-no-changes")

    lose(team)
    broken = tmp_path / "broken"
    broken.write_bytes(file.read_bytes()[:-100])
    team.type(f"runyard restore {broken} --identity {tmp_path}/key.txt", fails_with=2)
    assert (team.left_on_host(), team.data.exists()) == ("", False)

    team.type(f"runyard restore {file} --identity {tmp_path}/key.txt")
    team.type("runyard up")
    assert identity(shop) == before
    verified = team.type("runyard invoice --verify")
    assert verified.splitlines()[-1] == "1 bill recomputed, 0 differences"
    team.type("runyard preview --force --expect-no-changes")


def test_backup_of_a_stack_that_is_not_there_names_those_that_are(shop: Shop, tmp_path: Path) -> None:
    refused = shop.team.type(f"runyard backup {tmp_path}/b --stack nosuch", fails_with=1)
    assert refused == f"error: stack nosuch: must be one of those that are there ({shop.team.stack})\n"
    assert list(tmp_path.iterdir()) == []

"""Secrets on their way to an instance: in no file, journal, status or description in plain."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from pathlib import Path

import pytest

from runyard.contracts import FilesMount, Probe, SecretFile, SecretValue, Variable, encode
from runyard.errors import UsageError
from services.orchestrator.engine.port import Refused
from services.orchestrator.instances.launcher import Launcher
from services.orchestrator.model.launch import launched
from services.orchestrator.store.secret_values import SecretValues

from .test_orchestrator import failing, rollout
from .world import ListJournal, World, container, in_world

PLANTED = "planted-4711"
PASSWORD, KEY = SecretValue("db", "latest", "digest-1"), SecretValue("tls", "key", "digest-2")
VALUES = {"digest-1": PLANTED, "digest-2": f"{PLANTED}\n"}
APP = container(
    environment=(Variable("DB", secret=PASSWORD), Variable("PLAIN", "x")),
    file_mounts=(FilesMount("/secrets", (SecretFile("tls/key", KEY, 0o400),)),),
    liveness_probe=Probe(kind="exec", command=("check",)),
)


def kept(directory: Path, journal: ListJournal | None = None) -> SecretValues:
    return SecretValues(directory, journal or ListJournal())


def launcher_of(values: SecretValues, directory: Path) -> Launcher:
    return Launcher(values, directory / "launcher", directory / "program", lambda: "PEM of the CA")


def everything(directory: Path) -> bytes:
    return b"".join(each.read_bytes() for each in directory.rglob("*") if each.is_file())


def test_values_are_kept_encrypted_in_files_of_one_user(tmp_path: Path) -> None:
    kept(tmp_path).put(VALUES)
    assert PLANTED.encode() not in everything(tmp_path)
    files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "secrets").iterdir()}
    assert files == {"key": 0o600, "values.json": 0o600}
    again = kept(tmp_path)
    assert {digest: again.get(digest) for digest in VALUES} == VALUES
    assert again.get("other") is None


def test_values_that_nothing_needs_are_forgotten(tmp_path: Path) -> None:
    values = kept(tmp_path)
    values.put(VALUES)
    values.keep({"digest-2"})
    assert kept(tmp_path).get("digest-1") is None
    assert kept(tmp_path).get("digest-2") == VALUES["digest-2"]


def test_value_in_another_s_place_is_none(tmp_path: Path) -> None:
    kept(tmp_path).put(VALUES)
    file = tmp_path / "secrets" / "values.json"
    sealed = json.loads(file.read_text())
    file.write_text(json.dumps({"digest-1": sealed["digest-2"], "digest-2": sealed["digest-2"]}))
    journal = ListJournal()
    values = kept(tmp_path, journal)
    assert (values.get("digest-1"), values.get("digest-2")) == (None, VALUES["digest-2"])
    assert journal.entries == [("secret value unusable", {"level": "error", "digest": "digest-1"})]


@pytest.mark.parametrize("damage", ["key", "values.json"])
def test_damaged_file_loses_values_and_nothing_else(tmp_path: Path, damage: str) -> None:
    kept(tmp_path).put(VALUES)
    (tmp_path / "secrets" / damage).write_text("{")
    values = kept(tmp_path)
    assert values.get("digest-1") is None
    values.put(VALUES)
    assert kept(tmp_path).get("digest-1") == PLANTED


@in_world
async def test_instance_gets_its_secrets_on_its_input_and_no_place_shows_them(world: World) -> None:
    world.add("hello-1", APP)
    world.values = VALUES
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    (started,) = world.engine.clones("running")
    assert json.loads(world.engine.inputs[started]) == {
        "environment": {"DB": PLANTED},
        "files": [{"path": "/secrets/tls/key", "mode": 0o400, "content": "cGxhbnRlZC00NzExCg=="}],
    }
    assert (world.directory / "launcher" / "launch").read_bytes() == b"program"
    shown = [world.engine.containers, world.journal.entries, encode(world.orchestrator.status())]
    shown += [encode(world.orchestrator.holdings()), encode(world.gateway.last), repr(world.request(rollout()))]
    assert PLANTED not in str(shown)
    assert PLANTED.encode() not in everything(world.directory)


@in_world
async def test_replacement_is_started_with_secrets_that_no_update_brings(world: World) -> None:
    world.add("hello-1", APP)
    world.values = VALUES
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    world.engine.die(world.engine.clones()[0], 1)
    await world.pass_time(1)
    (started,) = world.engine.clones("running")
    assert json.loads(world.engine.inputs[started])["environment"] == {"DB": PLANTED}


@in_world
async def test_values_go_with_the_last_document_that_needs_them(world: World) -> None:
    world.add("hello-1", APP)
    world.values = VALUES
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    assert "digest-1" in world.parts.values
    await world.orchestrator.delete_service("default", "hello")
    await world.pass_time(5)
    assert "digest-1" not in world.parts.values


@in_world
async def test_instance_with_secrets_fails_clearly_without_the_launcher_and_never_gets_them_plain(world: World) -> None:
    (world.directory / "program").unlink()
    world.parts.tools.launcher.install(world.journal)
    world.add("hello-1", APP)
    world.values = VALUES
    error = await failing(world, world.roll_out(rollout(deadline_s=600)), 3)
    assert str(error).endswith("container app: has secrets, and the orchestrator's image has no launcher")
    assert "launcher missing" in world.journal.events()
    assert world.engine.clones() == []
    # Whoever has none is not held up.
    world.documents.clear()
    world.add("hello-2")
    await asyncio.wait_for(world.roll_out(rollout(("hello-2", 100))), 5)


@in_world
async def test_secret_without_its_value_is_refused(world: World) -> None:
    world.add("hello-1", APP)
    with pytest.raises(UsageError) as caught:
        await world.roll_out(rollout())
    assert str(caught.value) == "service default/hello: hello-1: secret db has no value of key latest"


def test_value_that_was_lost_is_named_when_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"program")
    launcher = launcher_of(kept(tmp_path), tmp_path)
    launcher.install(ListJournal())
    with pytest.raises(Refused) as caught:
        launcher.start_input(APP)
    assert str(caught.value) == ("container app: secret db has no value of key latest here; the next update brings it")


def test_launcher_is_put_whole_and_executable_and_newer_ones_replace_it(tmp_path: Path) -> None:
    source, journal = tmp_path / "program", ListJournal()
    for content in (b"old", b"new"):
        source.write_bytes(content)
        launcher_of(kept(tmp_path), tmp_path).install(journal)
        target = tmp_path / "launcher" / "launch"
        assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (content, 0o555)
    assert [each.name for each in (tmp_path / "launcher").iterdir()] == ["launch"]


def test_probe_of_a_container_with_secrets_has_its_environment_and_writes_no_files(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"program")
    values = kept(tmp_path)
    values.put(VALUES)
    launcher = launcher_of(values, tmp_path)
    launcher.install(ListJournal())
    assert json.loads(launcher.probe_input(APP)) == {"environment": {"DB": PLANTED}, "files": []}
    assert launcher.probe_input(container()) == launcher.start_input(container()) == ""


def test_certificate_of_the_authority_is_written_where_the_document_says(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"program")
    launcher = launcher_of(kept(tmp_path), tmp_path)
    launcher.install(ListJournal())
    trusting = container(file_mounts=(FilesMount("/run/runyard", authority=True),))
    content = base64.b64encode(b"PEM of the CA").decode()
    written = [{"path": "/run/runyard/ca.pem", "mode": 0o444, "content": content}]
    assert json.loads(launcher.start_input(trusting)) == {"environment": {}, "files": written}
    assert json.loads(launcher.probe_input(trusting)) == {"environment": {}, "files": []}
    assert launched(trusting, ("check",)) == ("/.runyard/launch", "--", "check")
    assert launched(APP, ("check",)) == ("/.runyard/launch", "--", "check")
    assert launched(container(), ("check",)) == ("check",)

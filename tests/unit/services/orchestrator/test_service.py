from __future__ import annotations

import asyncio
import dataclasses
import socket
from pathlib import Path

import pytest

from runyard.contracts import Restriction
from runyard.errors import HostUnreachable, UsageError
from services.orchestrator.service import fence_of, serve
from services.orchestrator.settings import Settings
from services.orchestrator.store.interventions import Interventions
from services.orchestrator.store.signature import Verifier

from .world import PUBLIC_KEY, ListJournal, quiet


def settings(directory: Path, port: int) -> Settings:
    own, launcher = directory / "own", directory / "launcher"
    program = directory / "program"
    return Settings("test", "127.0.0.1", port, own, directory, launcher, program, directory, Verifier(PUBLIC_KEY))


def test_port_that_is_taken_ends_with_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    # No engine is asked for anything before the listeners are open.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            asyncio.run(serve(settings(tmp_path, port), ListJournal()))
    assert str(caught.value).startswith(f"listen on 127.0.0.1:{port}: ")


def test_killed_orchestrator_s_socket_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")

    async def whole() -> None:
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "control.sock").touch()
        journal = ListJournal()
        task = asyncio.create_task(serve(settings(tmp_path, 0), journal))
        async with asyncio.timeout(10):
            while "started" not in journal.events():
                await quiet()
        assert (tmp_path / "own" / "control.sock").is_socket()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())


@pytest.mark.parametrize(("parts", "kept"), [(("gateway", "billing"), 1), (("gateway",), 0)])
def test_ledger_alone_is_heard_and_what_it_restricted_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...], kept: int
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    (tmp_path / "own").mkdir()
    held = Interventions(tmp_path / "own", ListJournal())
    held.put_restrictions((Restriction("shop", 0, 1, "its budget"),))

    async def whole() -> None:
        journal = ListJournal()
        task = asyncio.create_task(serve(dataclasses.replace(settings(tmp_path, 0), parts=parts), journal))
        async with asyncio.timeout(10):
            while "started" not in journal.events():
                await quiet()
        listens = (tmp_path / "restrictions.sock").exists()
        assert listens == bool(kept)
        # The ledger runs as another user.
        assert not listens or (tmp_path / "restrictions.sock").stat().st_mode & 0o777 == 0o666
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())
    assert len(Interventions(tmp_path / "own", ListJournal()).restrictions(0)) == kept


def test_neither_nobody_nor_ourselves_are_killed_as_the_leader(tmp_path: Path) -> None:
    ours = dataclasses.replace(settings(tmp_path, 0), part="standby")
    for leader in ("", "standby"):
        with pytest.raises(UsageError) as caught:
            asyncio.run(fence_of(ours)(leader))
        assert str(caught.value) == f"the lease must be held by another part of the stack, got {leader!r}"


def test_leader_is_not_killed_by_an_engine_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(HostUnreachable, match=r"inspect container runyard\.tes"):
        asyncio.run(fence_of(settings(tmp_path, 0))("orchestrator"))

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from runyard.errors import UsageError
from services.orchestrator.service import serve
from services.orchestrator.settings import Settings
from services.orchestrator.store.lease import Lease
from services.orchestrator.store.signature import Verifier

from .world import PUBLIC_KEY, ListJournal, quiet


def settings(directory: Path, port: int) -> Settings:
    own, launcher = directory / "own", directory / "launcher"
    return Settings("test", "127.0.0.1", port, own, directory, launcher, directory / "program", Verifier(PUBLIC_KEY))


def test_port_that_is_taken_ends_with_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No engine is asked for anything before the listeners are open.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            asyncio.run(serve(settings(tmp_path, port), ListJournal()))
    assert str(caught.value).startswith(f"listen on 127.0.0.1:{port}: ")


def test_second_orchestrator_stands_by_and_opens_nothing(tmp_path: Path) -> None:
    async def whole() -> None:
        (tmp_path / "own").mkdir()
        holder, journal = Lease(tmp_path / "own" / "lease"), ListJournal()
        assert holder.take()
        task = asyncio.create_task(serve(settings(tmp_path, 1), journal))
        await quiet()
        assert journal.events() == ["standing by: another orchestrator holds the lease"]
        assert not (tmp_path / "own" / "control.sock").exists()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        holder.release()

    asyncio.run(whole())


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

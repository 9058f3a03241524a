from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.orchestrator.gateway.wake import CONNECTIONS, LONGEST_LINE, WakeSocket
from tests.harness.waiting import until_async

from ..world import ListJournal


class Listening:
    def __init__(self, directory: Path) -> None:
        self.heard: list[str] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.journal = ListJournal()
        self.path = directory / "wake.sock"
        self.socket = WakeSocket(self.path, self.heard.append, self.journal)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        pair = await asyncio.open_unix_connection(self.path)
        self._writers.append(pair[1])
        return pair

    async def close(self) -> None:
        await self.socket.close()
        for each in self._writers:
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()


def run(directory: Path, story: Callable[[Listening], Awaitable[None]]) -> Listening:
    async def whole() -> Listening:
        listening = Listening(directory)
        await listening.socket.open()
        try:
            await story(listening)
        finally:
            await listening.close()
        return listening

    return asyncio.run(asyncio.wait_for(whole(), 20))


def test_every_line_is_heard_however_it_is_cut(tmp_path: Path) -> None:
    async def story(listening: Listening) -> None:
        (_, one), (_, other) = await listening.connect(), await listening.connect()
        one.write(b"shop/we")
        other.write(b"shop/cart-1\n")
        await until_async(lambda: listening.heard == ["shop/cart-1"])
        one.write(b"b-1\nshop/web-1\n")
        await until_async(lambda: len(listening.heard) == 3)

    assert run(tmp_path, story).heard == ["shop/cart-1", "shop/web-1", "shop/web-1"]


def test_line_that_does_not_end_is_no_name(tmp_path: Path) -> None:
    async def story(listening: Listening) -> None:
        reader, writer = await listening.connect()
        writer.write(b"shop/web-1")
        writer.write_eof()
        assert await reader.read() == b""

    assert run(tmp_path, story).heard == []


def test_line_that_is_too_long_ends_its_connection_and_no_other(tmp_path: Path) -> None:
    async def story(listening: Listening) -> None:
        (reader, writer), (_, other) = await listening.connect(), await listening.connect()
        writer.write(b"x" * 10 * LONGEST_LINE)
        assert await reader.read() == b""
        other.write(b"shop/web-1\n")
        await until_async(lambda: listening.heard == ["shop/web-1"])

    assert run(tmp_path, story).journal.events() == ["wake refused"]


@pytest.mark.parametrize("sent", [b"\n", b"\xff\xfe/web\n", b"../../etc\n"])
def test_line_that_is_no_name_is_heard_and_nothing_else(tmp_path: Path, sent: bytes) -> None:
    async def story(listening: Listening) -> None:
        _, writer = await listening.connect()
        writer.write(sent + b"shop/web-1\n")
        await until_async(lambda: "shop/web-1" in listening.heard)

    assert len(run(tmp_path, story).heard) == 2


def test_connections_beyond_what_workers_need_are_closed(tmp_path: Path) -> None:
    async def story(listening: Listening) -> None:
        opened = [await listening.connect() for _ in range(CONNECTIONS)]
        for _, writer in opened:
            writer.write(b"shop/web-1\n")
        await until_async(lambda: len(listening.heard) == CONNECTIONS)
        reader, _ = await listening.connect()
        assert await reader.read() == b""
        opened[0][1].close()

        async def has_room() -> bool:
            reader, writer = await listening.connect()
            ended = asyncio.create_task(reader.read())
            writer.write(b"shop/cart-1\n")
            await writer.drain()
            # Refused or heard: one that is neither yet would be left open by a server that ends.
            await until_async(lambda: ended.done() or "shop/cart-1" in listening.heard)
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
            return "shop/cart-1" in listening.heard

        await until_async(has_room)

    run(tmp_path, story)


def test_socket_left_by_a_killed_one_is_taken_over_and_workers_may_write_to_it(tmp_path: Path) -> None:
    (tmp_path / "wake.sock").touch()

    async def story(listening: Listening) -> None:
        assert listening.path.is_socket()
        assert listening.path.stat().st_mode & 0o777 == 0o666

    assert not run(tmp_path, story).path.exists()

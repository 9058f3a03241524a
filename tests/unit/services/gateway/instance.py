"""An instance: a small HTTP server that tells what it was sent, and waits or breaks when asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable

PATIENCE_S = 20
# Long enough for others to arrive meanwhile, short enough for thousands.
WORK_S = 0.005


class Instance:
    """A server in a thread of its own. Paths: /wait until released, /break, /stream, /upgrade, the rest is echoed.

    /work takes 5 ms, /trickle writes something now and then without an end, /size=N a body of that length, /chunks=N
    one whose length is not told, /cut-size=N and /cut-chunks=N the first half of such a one, which caches might keep,
    and /hear answers each chunk of the request as it comes.
    """

    def __init__(self, name: str = "one", port: int = 0, host: str = "127.0.0.1") -> None:
        self.name = name
        self.port = port
        self.host = host
        self.seen: list[tuple[str, str]] = []
        # When it had read each of them, by time.monotonic().
        self.seen_at: list[float] = []
        self.connections = 0
        self.waiting = 0
        # Requests that it has now, and the most that it ever had.
        self.at_once = 0
        self.peak = 0
        self.status = 200
        self._loop = asyncio.new_event_loop()
        self._gate = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> Instance:
        self._thread.start()
        self._call(self._listen())
        return self

    def release(self) -> None:
        """Let everything that waits go on, now and later."""
        self._loop.call_soon_threadsafe(self._gate.set)

    def kill(self) -> None:
        """Stop listening and reset every connection, as a killed process does."""
        if self._thread.is_alive():
            self._call(self._break_all())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE_S)
            self._loop.close()

    def _call(self, work: Callable[[], object] | object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _break_all(self) -> None:
        assert self._server is not None
        self._loop.remove_reader(self._server.sockets[0])
        # A connection that the loop has accepted already gets its transport and writer a turn or two later, and only
        # while its server is open; one that was missed would stay open without anybody to answer it, which no killed
        # process leaves behind.
        for _ in range(5):
            for writer in list(self._writers):
                writer.transport.abort()
            await asyncio.sleep(0)
        self._server.close()
        self._gate.set()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        # What was aborted tells its transport so a turn later; a loop that is closed before would leave it open.
        for _ in range(5):
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass  # the gateway closed the connection, or kill() did
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            return await self._answer_to(head, reader, writer)
        finally:
            # In the turn that wrote the answer's end: no successor can have been read yet.
            self.at_once -= 1

    async def _answer_to(self, head: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        method, path, _ = head[0].split(" ")
        headers = [line.split(": ", 1) for line in head[1:] if line]
        if path.startswith("/hear"):
            self.seen.append((method, path))
            self.seen_at.append(time.monotonic())
            return await self._hear(reader, writer)
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = await reader.readexactly(length)
        self.seen.append((method, path))
        self.seen_at.append(time.monotonic())
        if path.startswith("/wait"):
            self.waiting += 1
            await self._gate.wait()
            self.waiting -= 1
        if path.startswith("/work"):
            await asyncio.sleep(WORK_S)
        if path.startswith("/break"):
            writer.transport.abort()
            return False
        if path.startswith("/upgrade"):
            return await self._upgrade(reader, writer)
        if path.startswith("/stream"):
            return await self._stream(writer)
        if path.startswith("/trickle"):
            return await self._trickle(writer)
        if path.startswith(("/size=", "/chunks=")):
            return self._write_body(path, writer)
        if path.startswith("/cut-"):
            return await self._write_half(path, writer)
        status = path.rpartition("=")[2] if path.startswith("/status=") else str(self.status)
        echo = {"name": self.name, "method": method, "path": path, "headers": headers, "body": body.decode("latin-1")}
        text = json.dumps(echo).encode() + b" " * int(path.rpartition("=")[2] if path.startswith("/pad=") else 0)
        extra = "X-Accel-Redirect: /elsewhere\r\n" if path == "/redirect" else ""
        # `X-Answer: Name: value | Name: value` asks for these headers.
        asked = next((value for name, value in headers if name == "X-Answer"), "")
        extra += "".join(f"{each.strip()}\r\n" for each in asked.split("|") if each)
        writer.write(f"HTTP/1.1 {status} Fine\r\nServer: tests\r\n{extra}Content-Length: {len(text)}\r\n\r\n".encode())
        writer.write(b"" if method == "HEAD" else text)
        return True

    async def _upgrade(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
        return False

    async def _stream(self, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 Fine\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"6\r\nfirst\n\r\n")
        await writer.drain()
        await self._gate.wait()
        writer.write(b"5\r\nlast\n\r\n0\r\n\r\n")
        return True

    async def _trickle(self, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not self._gate.is_set():
            writer.write(b"4\r\ndrop\r\n")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gate.wait(), 0.05)
        return False

    def _write_body(self, path: str, writer: asyncio.StreamWriter) -> bool:
        size = int(path.rpartition("=")[2])
        if path.startswith("/size="):
            writer.write(f"HTTP/1.1 200 Fine\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size)
        else:
            writer.write(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n")
            writer.write(f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n")
        return True

    async def _write_half(self, path: str, writer: asyncio.StreamWriter) -> bool:
        size = int(path.rpartition("=")[2])
        told = (
            f"Content-Length: {size}\r\n\r\n" if "size" in path else f"Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n"
        )
        writer.write(f"HTTP/1.1 200 Fine\r\nCache-Control: max-age=60\r\n{told}".encode() + b"x" * (size // 2))
        await writer.drain()
        return False

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await reader.readline(), 16):
            heard = b"heard " + (await reader.readexactly(size + 2))[:-2] + b"\n"
            writer.write(f"{len(heard):x}\r\n".encode() + heard + b"\r\n")
            await writer.drain()
        await reader.readline()
        writer.write(b"0\r\n\r\n")
        return True

"""Docker engine written by hand: its API on a real unix socket, as far as our side asks, answering from a script."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import socketserver
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

OUTPUT = 1
_EXECUTION = "e1"
_ATTACHED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


class DockerApi:
    """What the engine knows.

    `answers` maps `GET /path` (without version and query) to a body, or to a status and a body; what it does not name
    is a 404. `output` is what a command writes that is executed, `relayed` what an orchestrator answers, in order, the
    last one for ever. `asked` has every request, `bodies` and `commands` what came with them.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "GET /containers/json": [],
            "GET /networks": [],
            "GET /volumes": {"Volumes": None},
            "GET /version": {"ApiVersion": "1.47", "MinAPIVersion": "1.24"},
        }
        self.output = b""
        self.exit_code = 0
        self.relayed: list[Any] = []
        self.asked: list[str] = []
        self.bodies: dict[str, Any] = {}
        self.commands: list[list[str]] = []
        self.sent: list[tuple[str, Any]] = []

    def answer(self, asked: str, body: Any) -> tuple[int, Any]:
        """Give status and body, and note what was asked."""
        self.asked.append(asked)
        self.bodies[asked] = body
        if asked.startswith("POST /containers/") and asked.endswith("/exec"):
            self.commands.append(body["Cmd"])
            return 201, {"Id": _EXECUTION}
        if asked == f"GET /exec/{_EXECUTION}/json":
            return 200, {"ExitCode": self.exit_code}
        found = self.answers.get(asked, (404, {"message": f"no such thing: {asked}"}))
        return found if isinstance(found, tuple) else (200, found)

    def attached(self, read: Any) -> Iterator[bytes]:
        """Give what the last command writes: its output, or an answer for each request that it reads."""
        if self.commands[-1][0] != "python3":
            yield self.output
            return
        while line := read.readline():
            headers = dict(each.decode().strip().split(": ", 1) for each in iter(read.readline, b"\r\n"))
            text = read.read(int(headers.get("Content-Length", 0)))
            self.sent.append((line.decode().rsplit(" ", 1)[0], json.loads(text) if text else None))
            answer = self.relayed.pop(0) if len(self.relayed) > 1 else self.relayed[0]
            body = answer if isinstance(answer, str) else json.dumps(answer)
            yield f"HTTP/1.1 200 OK\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


def _unread(connection: socket.socket) -> int:
    """Tell how many bytes the other side has still to read (SIOCOUTQ, unix(7))."""
    return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0])


@contextmanager
def serve(api: DockerApi, path: Path) -> Iterator[None]:
    """Answer on the socket at `path`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            where = re.sub(r"^/v[\d.]+", "", unquote(self.path.partition("?")[0]))
            if where == f"/exec/{_EXECUTION}/start":
                self.wfile.write(_ATTACHED)
                # The SDK reads the head through a buffer and what follows from the socket: what came with the head
                # would be lost to it. An engine is slower than that; here the head is read before more is written.
                while _unread(self.connection):
                    os.sched_yield()
                for written in api.attached(self.rfile):
                    self.wfile.write(struct.pack(">BxxxL", OUTPUT, len(written)) + written)
                self.close_connection = True
                return
            status, body = api.answer(f"{self.command} {where}", json.loads(text) if text else None)
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(path), Handler) as server:
        # The default looks twice a second whether it is to end.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()

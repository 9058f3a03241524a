"""Docker engine written by hand: its API on a real socket, as far as our side asks, answering from a script."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from runyard.names import PROMETHEUS_RELAY

OUTPUT, ERRORS = 1, 2
_EXECUTION = "e1"
_HANDED_OVER = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
_UNTIL_THE_END = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"


def frame(kind: int, data: bytes) -> bytes:
    """Give data as the engine frames it."""
    return struct.pack(">BxxxL", kind, len(data)) + data


class Pieces(list[bytes]):
    """A body that comes in chunks, as of what the engine tells while it works."""


class DockerApi:
    """What the engine knows.

    `answers` maps `GET /path` (without version and query) to a body, or to a status and a body; what it does not name
    is a 404. `output` is what a command writes that is executed, `relayed` what parts answer, in order, the
    last one for ever. `asked` has every request, `targets` with its query, `bodies`, `headers` and `commands` what came
    with them; `connections` is how many there were, and `left` is set when an orchestrator's asker has gone away.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "GET /_ping": b"OK",
            "GET /containers/json": [],
            "GET /networks": [],
            "GET /volumes": {"Volumes": None},
        }
        self.output = b""
        self.exit_code = 0
        self.relayed: list[Any] = []
        self.asked: list[str] = []
        self.targets: list[str] = []
        self.bodies: dict[str, Any] = {}
        self.headers: dict[str, Mapping[str, str]] = {}
        self.commands: list[list[str]] = []
        self.sent: list[tuple[str, Any]] = []
        self.connections = 0
        self.left = threading.Event()

    def answer(self, asked: str, body: Any) -> tuple[int, Any]:
        """Give status and body, and note what was asked."""
        self.asked.append(asked)
        self.bodies[asked] = body
        if asked.startswith("POST /containers/") and asked.endswith("/exec") and asked not in self.answers:
            self.commands.append(body["Cmd"])
            return 201, {"Id": _EXECUTION}
        if asked == f"GET /exec/{_EXECUTION}/json":
            return 200, {"ExitCode": self.exit_code}
        found = self.answers.get(asked, (404, {"message": f"no such thing: {asked}"}))
        return found if isinstance(found, tuple) else (200, found)

    def attached(self, read: Any) -> Iterator[bytes]:
        """Give what the last command writes: its output, or an answer for each request that it reads."""
        program, *words = self.commands[-1]
        if program not in ("python3", *PROMETHEUS_RELAY) or "runyard.ask" in words:
            yield self.output
            return
        while line := read.readline():
            headers = dict(each.decode().strip().split(": ", 1) for each in iter(read.readline, b"\r\n"))
            text = read.read(int(headers.get("Content-Length", 0)))
            self.sent.append((line.decode().rsplit(" ", 1)[0], json.loads(text) if text else None))
            answer = self.relayed.pop(0) if len(self.relayed) > 1 else self.relayed[0]
            body = answer if isinstance(answer, str) else json.dumps(answer)
            yield f"HTTP/1.1 200 OK\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()
        self.left.set()


def _body(read: Any, headers: Any) -> bytes:
    """Read a request's body, whole or in chunks."""
    if headers.get("Transfer-Encoding") != "chunked":
        return bytes(read.read(int(headers.get("Content-Length") or 0)))
    pieces = []
    while size := int(read.readline(), 16):
        pieces.append(read.read(size))
        read.readline()
    read.readline()
    return b"".join(pieces)


def _handler(api: DockerApi, *, tcp: bool = False) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are written apart, and the second would wait for the first to be acknowledged.
        disable_nagle_algorithm = tcp

        def setup(self) -> None:
            super().setup()
            api.connections += 1

        def _serve(self) -> None:
            text = _body(self.rfile, self.headers)
            target = re.sub(r"^/v[\d.]+", "", self.path)
            where = unquote(target.partition("?")[0])
            asked = f"{self.command} {where}"
            api.targets.append(f"{self.command} {target}")
            api.headers[asked] = dict(self.headers.items())
            if where == f"/exec/{_EXECUTION}/start":
                self.wfile.write(_HANDED_OVER if self.headers.get("Upgrade") else _UNTIL_THE_END)
                for written in api.attached(self.rfile):
                    self.wfile.write(frame(OUTPUT, written))
                self.close_connection = True
                return
            is_archive = self.headers.get("Content-Type") == "application/x-tar"
            self._send(*api.answer(asked, text if is_archive else json.loads(text) if text else None))

        def _send(self, status: int, body: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if isinstance(body, Pieces):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in [*body, b""]:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                return
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class _Server(socketserver.ThreadingMixIn):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away under our hands; what else there is socketserver tells."""
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)  # type: ignore[misc]


class _Unix(_Server, socketserver.UnixStreamServer):
    pass


class _Tcp(_Server, socketserver.TCPServer):
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread, so that a handshake that fails is not the listener's.
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        try:
            wrapped = self.tls.wrap_socket(request, server_side=True)
        except OSError:
            return
        with wrapped:
            super().finish_request(wrapped, client_address)


class _Tcp6(_Tcp):
    address_family = socket.AF_INET6


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    with server:
        # The default looks twice a second whether it is to end.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve(api: DockerApi, path: Path) -> Iterator[None]:
    """Answer on the socket at `path`."""
    with _running(_Unix(str(path), _handler(api))):
        yield


@contextmanager
def serve_tcp(api: DockerApi, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[int]:
    """Answer at a free port of this machine, with TLS if there is a context for it, and give the port."""
    server = (_Tcp6 if ":" in host else _Tcp)((host, 0), _handler(api, tcp=True))
    server.tls = tls
    with _running(server):
        yield server.server_address[1]


class Last(bytes):
    """An answer after which the engine ends the connection."""


class ScriptedEngine:
    """An engine that takes one connection after another and gives each its answers as raw bytes.

    None ends a connection instead of an answer, and empty bytes are silence. `asked` has the first line of every
    request, with the number of its connection.
    """

    def __init__(self, path: Path, *connections: list[bytes | None]) -> None:
        self._connections = connections
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.address = f"unix://{path}"
        self.asked: list[tuple[int, str]] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> ScriptedEngine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        for number, answers in enumerate(self._connections):
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as read:
                for answer in answers:
                    self._read(number, read)
                    connection.sendall(answer or b"")
                    if answer is None or isinstance(answer, Last):
                        break
                else:
                    # Until the asker goes.
                    self._read(number, read)

    def _read(self, number: int, read: Any) -> None:
        if not (line := read.readline()):
            return
        self.asked.append((number, line.decode().rsplit(" ", 1)[0]))
        headers = dict(each.decode().strip().split(": ", 1) for each in iter(read.readline, b"\r\n"))
        read.read(int(headers.get("Content-Length", 0)))

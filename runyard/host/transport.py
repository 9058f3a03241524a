"""Transport: the Docker engine's HTTP API over its unix socket, TCP, TLS or SSH, by the standard library alone.

It needs nothing of ours but the errors and the way to the engine, so that what asks the engine for one thing starts in
milliseconds. Paths have no version: the engine then takes its newest, and what is asked for here is the same in all.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import socket
import threading
from collections.abc import Generator, Mapping
from typing import IO, Any, NamedTuple

from runyard.errors import Conflict, HostError, HostUnreachable, NotFound
from runyard.host.address import USUAL, parse_address
from runyard.host.connection import Asked, Connection

# How long the engine may be silent in one call; a dead one shows itself in the connect.
CALL_TIMEOUT_S = 60.0
# What it was sent it may have to write to a slow disk first.
SEND_TIMEOUT_S = 600.0

_PIECE_BYTES = 64 * 1024

# What may be asked twice when it cannot be told whether it was done once.
_IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}

# What the libraries below can raise, and what it is here. The first row that matches wins, so subclasses stand before
# their bases. tests/unit/runyard/host walks the libraries and fails for an exception that no row covers.
FOREIGN: tuple[tuple[type[Exception], type[HostError]], ...] = (
    (TimeoutError, HostError),
    (OSError, HostUnreachable),
    (http.client.HTTPException, HostError),
    (ValueError, HostError),
    # A body that is nested too deep for json.
    (RecursionError, HostError),
)
_FOREIGN = tuple(foreign for foreign, _ in FOREIGN)
_TOLD: Mapping[int, type[HostError]] = {404: NotFound, 409: Conflict}


class Answer(NamedTuple):
    """What the engine answered: the HTTP status and the whole body."""

    status: int
    data: bytes

    def json(self) -> Any:
        """Parse the body; HostError when it is no JSON."""
        try:
            return json.loads(self.data)
        except _FOREIGN as error:
            raise translate(error) from error

    def checked(self) -> Answer:
        """Give it back if the engine did as asked; else NotFound, Conflict or HostError with the engine's own words."""
        if self.status < 400:
            return self
        text = self.data.decode(errors="replace").strip()
        with contextlib.suppress(ValueError, AttributeError):
            text = str(json.loads(text).get("message") or text)
        raise _TOLD.get(self.status, HostError)(text or f"the engine answered {self.status}")


class Stream:
    """Both ways of a connection that the engine has handed over, to a command or a container."""

    def __init__(self, sock: socket.socket, reader: io.BufferedReader) -> None:
        """Take a socket, and the reader that may hold the first bytes of what came behind the head."""
        self._sock = sock
        self._reader = reader

    def recv(self, size: int) -> bytes:
        """Read up to this many bytes; none at the end."""
        try:
            return self._reader.read1(size)
        except ValueError:
            # Closed by another thread, between two reads of this one.
            return b""

    def sendall(self, data: bytes) -> None:
        """Write all of it."""
        self._sock.sendall(data)

    def settimeout(self, seconds: float | None) -> None:
        """Let a read or write wait no longer than this; after a read that did, the stream is of no more use."""
        self._sock.settimeout(seconds)

    def close(self) -> None:
        """Close both ways, also under the hands of a thread that is reading: it sees the end."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._sock.close()


class Transport:
    """The engine at an address, for any number of threads: a connection is kept for each that asks at the same time.

    Without an address it is the environment's (DOCKER_HOST), else the usual socket. TCP is with TLS and a client's
    certificate where DOCKER_TLS_VERIFY or DOCKER_CERT_PATH asks for it.
    """

    def __init__(self, docker_host: str | None = None) -> None:
        self.address = docker_host or os.environ.get("DOCKER_HOST") or USUAL
        self._way = parse_address(self.address)
        self._turns = threading.BoundedSemaphore(self._way.at_once)
        # Guards the two below; a connection is out of the list while it is used.
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False

    def request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, with a body as JSON (or as it is, if bytes), and read the whole answer whatever its status.

        `timeout_s` is how long the engine may be silent. HostUnreachable when nobody answers.
        """
        asked = Asked.of(method, path, body, headers, timeout_s)
        with self._turns:
            kept = self._take()
            if kept is not None:
                try:
                    return self._exchange(kept, asked)
                except _FOREIGN as error:
                    # The engine ended what was idle, as one that restarts does. What it may have begun to do is asked
                    # again only if that cannot be told from asking once; silence would be met with silence.
                    if isinstance(error, TimeoutError) or (kept.answering and method not in _IDEMPOTENT):
                        raise self._translate(error, kept, timeout_s) from error
            connection = self._connect()
            try:
                return self._exchange(connection, asked)
            except _FOREIGN as error:
                raise self._translate(error, connection, timeout_s) from error

    def send(self, method: str, path: str, body: IO[bytes], headers: Mapping[str, str]) -> Answer:
        """Ask with a body that is read as it is sent, from where it stands; the engine's own words if it refuses.

        On a connection of its own: what was half read cannot be sent again.
        """
        with self._turns, contextlib.closing(self._connect()) as connection:
            try:
                connection.ask(Asked(method, path, body, headers, SEND_TIMEOUT_S))
                with connection.getresponse() as response:
                    return Answer(response.status, response.read()).checked()
            except _FOREIGN as error:
                raise self._translate(error, connection, SEND_TIMEOUT_S) from error

    def lines(
        self, method: str, path: str, timeout_s: float = CALL_TIMEOUT_S, headers: Mapping[str, str] | None = None
    ) -> Generator[bytes, None, None]:
        """Ask, and give the answer's lines as they come; the engine's own words as an error if it refuses.

        Close it, if not all lines are read: it keeps a connection.
        """
        with self._turns, contextlib.closing(self._connect()) as connection:
            try:
                connection.ask(Asked.of(method, path, None, headers, timeout_s))
                with connection.getresponse() as response:
                    if response.status >= 400:
                        Answer(response.status, response.read()).checked()
                    yield from iter(response.readline, b"")
            except _FOREIGN as error:
                raise self._translate(error, connection, timeout_s) from error

    def pieces(self, path: str, *, silent: bool = False) -> Generator[bytes, None, None]:
        """Ask for a path, and give its answer in pieces as they come; the engine's own words as an error if it refuses.

        With `silent` it may say nothing for as long as it likes. Close it, if not all is read: it keeps a connection.
        Like a stream it is no turn of those that ask at once, which must not wait until it ends.
        """
        timeout_s = None if silent else CALL_TIMEOUT_S
        with contextlib.closing(self._connect()) as connection:
            try:
                connection.ask(Asked.of("GET", path, None, None, CALL_TIMEOUT_S))
                with connection.getresponse() as response:
                    if response.status >= 400:
                        Answer(response.status, response.read()).checked()
                    connection.sock.settimeout(timeout_s)
                    yield from iter(lambda: response.read1(_PIECE_BYTES), b"")
            except _FOREIGN as error:
                raise self._translate(error, connection, CALL_TIMEOUT_S) from error

    def hijack(self, method: str, path: str, body: object | None = None) -> Stream:
        """Ask for the connection to be handed over, as for an exec or attach; the engine's own words if it refuses."""
        connection = self._connect()
        sock = connection.sock
        response = http.client.HTTPResponse(sock, method=method)
        try:
            connection.ask(Asked.of(method, path, body, _UPGRADE, CALL_TIMEOUT_S))
            response.begin()
            # 200 comes from engines that hand over without saying so; what follows is the same.
            if response.status not in (101, 200):
                Answer(response.status, response.read()).checked()
                raise HostError(f"the engine answered {response.status} and kept the connection")
        except BaseException as error:
            response.close()
            connection.close()
            if isinstance(error, _FOREIGN):
                raise self._translate(error, connection, CALL_TIMEOUT_S) from error
            raise
        sock.settimeout(None)
        # What is left to the answer's object it closes at its own end.
        reader, response.fp = response.fp, None  # type: ignore[assignment]
        return Stream(sock, reader)

    def close(self) -> None:
        """Close what is kept, after the last call; a stream is closed before, by whoever has it."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()
        self._way.close()

    def _take(self) -> Connection | None:
        """Take a kept connection; what the other side has closed meanwhile is thrown away."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not connection.ended():
                return connection
            connection.close()

    def _connect(self) -> Connection:
        try:
            return self._way.dial()
        except OSError as error:
            # A connect that takes too long is nobody's answer either.
            raise HostUnreachable(self._nobody(error)) from error

    def _exchange(self, connection: Connection, asked: Asked) -> Answer:
        try:
            connection.ask(asked)
            response = connection.getresponse()
            connection.answering = True
            with response:
                answer = Answer(response.status, response.read())
        except BaseException:
            # What is left of an answer must not be taken for that to the next request.
            connection.close()
            raise
        with self._lock:
            keep = connection.open and not self._closed
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        return answer

    def _translate(self, error: Exception, connection: Connection, timeout_s: float) -> HostError:
        if isinstance(error, TimeoutError):
            return HostError(f"no answer within {timeout_s:g} s")
        ours = translate(error)
        if isinstance(ours, HostUnreachable):
            return HostUnreachable(self._nobody(connection.complaint() or error))
        return ours

    def _nobody(self, why: Exception | str) -> str:
        reason = (isinstance(why, OSError) and why.strerror) or str(why) or type(why).__name__
        return f"no Docker engine answers at {self.address}: {reason}; is it running, is DOCKER_HOST right?"


def translate(error: Exception) -> HostError:
    """Make the error of ours that a library's is by the table above."""
    kind = next(ours for foreign, ours in FOREIGN if isinstance(error, foreign))
    text = str(error) or type(error).__name__
    return kind(text if kind is HostUnreachable else f"the engine's answer cannot be read: {text}")

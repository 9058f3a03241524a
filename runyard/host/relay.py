"""Relay: HTTP over the standard input and output of a command inside a container, kept open between requests.

A `docker exec` for each request costs the engine over a tenth of a second of processor time; this costs it once.
It goes through the Docker API alone, so a remote host needs no open port.
"""

from __future__ import annotations

import http.client
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from runyard.errors import HostError, RelayEnded
from runyard.host.transport import Stream

# Docker's frame: the stream in the first byte, the length of what follows in the last four (API, "attach").
_HEADER = struct.Struct(">BxxxL")
_OUTPUT, _ERRORS = 1, 2
_CHUNK_BYTES = 64 * 1024


class Relay:
    """One connection; use it for one request at a time."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = _Frames(stream)
        self._http = http.client.HTTPConnection("orchestrator")
        # The connection is there already; HTTPConnection only ever writes, closes and asks for a file to read.
        self._http.sock = _Joined(stream, self._frames)

    def request(self, method: str, path: str, body: str, timeout_s: float) -> tuple[int, str]:
        """Ask and give status and body; RelayEnded without an answer, HostError when it takes too long."""
        headers = {"Content-Type": "application/json"} if body else {}
        with self._translated(timeout_s):
            self._stream.settimeout(timeout_s)
            # Without this, HTTPConnection would silently connect to a host of that name.
            self._http.auto_open = 0
            self._http.request(method, path, body.encode() if body else None, headers)
            answer = self._http.getresponse()
            return answer.status, answer.read().decode(errors="replace")

    @contextmanager
    def _translated(self, timeout_s: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise HostError(f"no answer within {timeout_s:g} s") from error
        except (http.client.HTTPException, OSError) as error:
            reason = self._frames.errors.decode(errors="replace").strip()
            raise RelayEnded(reason or str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Close the connection; the command inside the container sees the end of its input and ends too."""
        self._http.close()
        self._stream.close()


def unframe(data: bytes) -> bytes:
    """Give what a command wrote to both of its outputs, in order, out of the engine's frames."""
    found, at = [], 0
    while at + _HEADER.size <= len(data):
        begin = at + _HEADER.size
        at = begin + _HEADER.unpack_from(data, at)[1]
        found.append(data[begin:at])
    return b"".join(found)


class _Frames(io.RawIOBase):
    """What the command writes to its output, out of the engine's frames; its errors are put aside."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._kind = 0
        self._left = 0
        self.errors = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._left == 0:
                header = self._exactly(_HEADER.size)
                if len(header) < _HEADER.size:
                    return 0
                self._kind, self._left = _HEADER.unpack(header)
                continue
            wanted = len(buffer) if self._kind == _OUTPUT else _CHUNK_BYTES
            data = self._stream.recv(min(wanted, self._left))
            if not data:
                return 0
            self._left -= len(data)
            if self._kind == _OUTPUT:
                buffer[: len(data)] = data
                return len(data)
            if self._kind == _ERRORS:
                self.errors += data

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size and (data := self._stream.recv(size - len(found))):
            found += data
        return found


class _Joined:
    """As much of a socket as HTTPConnection uses."""

    def __init__(self, stream: Stream, frames: _Frames) -> None:
        self.sendall = stream.sendall
        self._frames = frames

    def makefile(self, _mode: str) -> io.BufferedReader:
        # A reader for each answer: it is closed with it, and must not take the stream along. The server sends
        # nothing beyond an answer, so none of the next one is lost in its buffer.
        return io.BufferedReader(_Kept(self._frames))

    def close(self) -> None:
        """Leave the stream open: an answer that says `close` ends only itself here, and the next request fails."""


class _Kept(io.RawIOBase):
    def __init__(self, frames: _Frames) -> None:
        self._frames = frames

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._frames.readinto(buffer)

"""SSH way to a Docker engine: an ssh for each connection, joined to the engine by the Docker command over there."""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import tempfile
import threading

from runyard.host.connection import Connection

# Two networks and a login.
_CONNECT_TIMEOUT_S = 30
# sshd drops logins at random beyond ten that are under way (MaxStartups); relays need some of them.
_AT_ONCE = 6
# What ssh says when it fails is a line or two, and it exits at once.
_COMPLAINT_BYTES = 2000
_END_S = 1.0


class Ssh:
    """A host by its name or that of ~/.ssh/config; `path` is the engine's socket there, empty for the usual one."""

    at_once = _AT_ONCE

    def __init__(self, host: str, port: int | None, user: str, path: str) -> None:
        login = ["-l", user] if user else []
        login += ["-p", str(port)] if port else []
        # The far side has a shell; this one has none.
        engine = ["--host", shlex.quote(f"unix://{path}")] if path.strip("/") else []
        options = ["-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}", "-T"]
        self._command = ["ssh", *options, *login, "--", host, "docker", *engine, "system", "dial-stdio"]
        # Guards the list, which has every ssh until it is seen to have ended.
        self._lock = threading.Lock()
        self._running: list[_SshConnection] = []

    def dial(self) -> Connection:
        """Start an ssh; whether it gets through shows in the first answer."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                connection = _SshConnection(self._command, ours, theirs)
        except BaseException:
            ours.close()
            raise
        with self._lock:
            self._running = [each for each in self._running if each.runs()] + [connection]
        return connection

    def close(self) -> None:
        """Let every ssh end with its connection, and make those end that do not."""
        with self._lock:
            running, self._running = self._running, []
        for each in running:
            each.finish()


class _SshConnection(Connection):
    """A connection through an ssh of its own: a socket pair in place of pipes, so it has timeouts as any other."""

    def __init__(self, command: list[str], ours: socket.socket, theirs: socket.socket) -> None:
        super().__init__(ours)
        # A file, as nobody reads a pipe while ssh runs.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when ssh has ended
        try:
            # A session of its own, as the Docker command gives it: an interrupt is ours to answer first.
            self._process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors.fileno(),
                start_new_session=True,
            )
        except BaseException:
            self._errors.close()
            raise

    def runs(self) -> bool:
        if self._process.poll() is None:
            return True
        self._errors.close()
        return False

    def finish(self) -> None:
        self.close()
        self._wait()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def complaint(self) -> str:
        self._wait()
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        return self._errors.read(_COMPLAINT_BYTES).decode(errors="replace").strip()

    def _wait(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)

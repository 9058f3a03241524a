"""Postgres: a server of a test run's own, on a unix socket alone, and a database in it for each test that wants one."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.harness.waiting import until

# Where Debian's package has its programs, none of which but psql is on PATH.
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_OWNER = "postgres"
_MEMORY = Path("/dev/shm")
_COUNT = itertools.count(1)


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*map(str, _PROGRAMS), os.environ["PATH"]]))
    assert found, f"{name} was not found; `toolchain/bootstrap tests -- true` brings it"
    return found


class Postgres:
    """A server whose durability is what the test asks for; it can be killed and started again."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory = directory
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        # Postgres refuses to run as root.
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self._run([_program("initdb"), "-D", str(self._data), "-U", _OWNER, "-A", "trust", "-N", "--locale=C.UTF-8"])

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, check=False, env=_environment(), **self._as
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [
            *("-k", str(self.directory), "-c", "listen_addresses=", "-c", "max_connections=100"),
            *("-c", f"fsync={'on' if self.durable else 'off'}", "-c", "shared_buffers=64MB"),
        ]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", str(self._data), *options],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                env=_environment(),
                **self._as,
            )
        until(self._answers, "Postgres answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        try:
            psycopg.connect(self._address(_OWNER)).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it as a power cut does its processes: at once, without a checkpoint."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)
        self._process = None

    def _address(self, database: str) -> str:
        return f"postgresql://{_OWNER}@/{database}?host={self.directory}"

    def make_database(self, template: str = "template1") -> str:
        """Make a database like another and give its name."""
        name = f"test_{next(_COUNT)}"
        with psycopg.connect(self._address(_OWNER), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def url(self, database: str) -> str:
        """Give a database's address as SQLAlchemy wants it."""
        return f"postgresql+psycopg://{_OWNER}@/{database}?host={self.directory}"


def _environment() -> dict[str, str]:
    # The host's own settings of Postgres are not the test's.
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Give a server that is up, in a directory whose path is short enough for a socket's."""
    # What need not last is made and removed in memory, where a database of thousands of files costs no disk.
    place = None if durable or not _MEMORY.is_dir() else _MEMORY
    with tempfile.TemporaryDirectory(prefix="runyard-postgres-", dir=place) as directory:
        server = Postgres(Path(directory), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.kill()

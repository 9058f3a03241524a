"""Peer: a proxy to the same instances, as every benchmark of the gateway starts, changes and stops it."""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.bench.peers import process
from tests.bench.peers.instances import answers
from tests.harness.ports import free_ports
from tests.harness.waiting import until

# For connecting, in seconds; the same for all, as it is the gateway's default.
CONNECT_S = 1
# Idle connections that a proxy may keep to its instances.
IDLE = 256


class Peer(ABC):
    """A proxy at a port of 127.0.0.1 with one worker or thread."""

    name: ClassVar[str]
    # What `Programs` brings for it; nothing for what is installed with the toolchain.
    needs: ClassVar[str] = ""
    # How it learns of a change of its instances, and what it does when one fails; for the tables.
    change: ClassVar[str] = ""
    health: ClassVar[str] = ""

    # How many of the instances it gets, where there are more.
    most_instances: ClassVar[int] = 3
    # What the proxy's command is put behind, to count what it does.
    wrapper: Sequence[str] = ()

    def __init__(self, directory: Path, instances: Sequence[int], program: Path, answer_s: int = 300) -> None:
        """Prepare a proxy to the instances at these ports, which must answer within `answer_s` seconds."""
        self.directory = directory
        self.program = program
        self.instances = list(instances)[: self.most_instances]
        self.answer_s = answer_s
        (self.port,) = free_ports(1)
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir()
        # Workers of another user must get in.
        directory.chmod(0o755)

    @abstractmethod
    def prepare(self) -> Sequence[str | Path]:
        """Write the configuration and return the command that serves it in the foreground."""

    @abstractmethod
    def route(self, instances: Sequence[int]) -> None:
        """Send requests to the instances at these ports from now on, while it serves."""

    def roll(self, instances: Sequence[int]) -> None:
        """Move traffic to a new revision, whose instances these are."""
        self.route(instances)

    def start(self) -> None:
        """Start it on its core and return when it answers."""
        self.process = process.start(
            [*self.wrapper, *self.prepare()], process.SYSTEM_CORE, self.directory / "output.log"
        )
        until(self._answers, f"{self.name} answers: {self.directory}/output.log")

    def stop(self) -> None:
        """End it."""
        if self.process:
            process.stop(self.process)
            self.process = None

    def host_names(self) -> list[str]:
        """Name the hosts that it is asked for; where they make no difference, one."""
        return ["hello.localhost"]

    def processor_s(self) -> float:
        """Processor time that it has used so far, in seconds."""
        return process.processor_s(self.pid)

    @property
    def pid(self) -> int:
        """The process that was started, its workers' parent where it has some."""
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    def _answers(self) -> bool:
        assert self.process is not None
        output = self.directory / "output.log"
        assert self.process.poll() is None, f"{self.name} ended: {output.read_text()[-2000:]}"
        return answers(self.port)

    def replace(self, name: str, text: str) -> Path:
        """Write a file of its directory so that nobody reads half of it."""
        path = self.directory / name
        draft = path.with_name(f".{path.name}.new")
        draft.write_text(text)
        os.replace(draft, path)
        return path


class Direct(Peer):
    """No proxy: the first instance itself, to subtract what the generator and the instance take."""

    name = "direct"

    def prepare(self) -> Sequence[str | Path]:
        """Nothing is started."""
        raise NotImplementedError

    def start(self) -> None:
        """Take the instance's port for its own."""
        self.port = self.instances[0]

    def route(self, instances: Sequence[int]) -> None:
        """Ask another instance."""
        self.port = instances[0]

    def processor_s(self) -> float:
        """Take none: there is no proxy."""
        return 0.0

"""Steps: each says what it does and how long it took, and a long one shows that it is alive."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from runyard.errors import ToolchainError
from toolchain.progress import Progress

# Often enough to see that nothing hangs, seldom enough to keep a CI log readable.
HEARTBEAT_S = 15.0
# A failed command's last lines; the cause is nearly always among them, the rest is in the log.
TAIL_LINES = 15


class Steps:
    """The narrator of one run: prints to `out`, keeps the commands' own output in files under `log_directory`."""

    def __init__(
        self,
        log_directory: Path,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        heartbeat_s: float = HEARTBEAT_S,
        *,
        calm: bool = False,
    ) -> None:
        self.calm = calm
        self.log_directory = log_directory
        self._out = out or sys.stdout
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        # Images are built in parallel, and a heartbeat may fall between: a line is written whole or not at all.
        self._lock = threading.Lock()

    def say(self, subject: str, text: str) -> None:
        """Print one line about a subject, such as `engine: answers at unix:///var/run/docker.sock`."""
        with self._lock:
            print(f"{subject}: {text}", file=self._out, flush=True)

    def found(self, subject: str, text: str) -> None:
        """Print a line about what is there already, unless only what is done is to be told."""
        if not self.calm:
            self.say(subject, text)

    def follow(self, lines: Iterable[str]) -> Sequence[str]:
        """Tell of Pulumi's events, and name what failed."""
        colour = self._out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        progress = Progress(self._out, colour, self._clock)
        progress.follow(lines)
        return progress.failed

    @contextmanager
    def step(self, subject: str, action: str) -> Iterator[None]:
        """Announce an action, show a line with the elapsed seconds while it lasts, and say how long it took."""
        self.say(subject, action)
        began = self._clock()
        ended = threading.Event()
        heart = threading.Thread(target=self._beat, args=(subject, action, began, ended), daemon=True)
        heart.start()
        outcome = "gave up after"
        try:
            yield
            outcome = "done in"
        finally:
            ended.set()
            heart.join()
            self.say(subject, f"{outcome} {self._clock() - began:.1f} s")

    def _beat(self, subject: str, action: str, began: float, ended: threading.Event) -> None:
        while not ended.wait(self._heartbeat_s):
            self.say(subject, f"... {action}: {self._clock() - began:.0f} s so far")

    def run(
        self,
        subject: str,
        command: Sequence[str | Path],
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a command with its output in the subject's log; ToolchainError shows the last lines when it fails."""
        arguments = [str(each) for each in command]
        self.log_directory.mkdir(parents=True, exist_ok=True)
        log = self.log_directory / f"{subject.replace(' ', '-')}.log"
        with log.open("ab") as output:
            start = output.tell()
            output.write(f"$ {' '.join(arguments)}\n".encode())
            output.flush()
            try:
                code = subprocess.run(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=directory,
                    env=environment,
                    check=False,
                ).returncode
            except OSError as error:
                raise ToolchainError(f"{subject}: run {arguments[0]}: {error.strerror or error}") from None
        if code != 0:
            lines = log.read_bytes()[start:].decode(errors="replace").splitlines()[1:]
            tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
            raise ToolchainError(
                f"{subject}: run {Path(arguments[0]).name}: ended with code {code}\n{tail}\n  the whole log: {log}"
            )

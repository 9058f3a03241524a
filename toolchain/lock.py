"""Lock: Pulumi's file backend leaves one behind when an update is killed; a provably dead holder's is released."""

from __future__ import annotations

import datetime
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import LockError
from runyard.pulumi.backend import lock_directory
from toolchain.step import Steps

# The kernel tells the boot time in whole seconds and the clock may have been set since: a process counts as
# younger than the lock only beyond this.
CLOCK_SLACK_S = 5.0


@dataclass(frozen=True)
class Holder:
    """Who wrote a lock; `since` is in seconds of the Unix clock."""

    pid: int
    host: str
    user: str
    since: float

    def describe(self) -> str:
        """Describe the holder as `user@host, pid 12, since 2026-11-23T07:51:00Z`."""
        moment = datetime.datetime.fromtimestamp(self.since, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.user}@{self.host}, pid {self.pid}, since {moment}"


def parse(text: str) -> Holder:
    """Parse a lock file; ValueError names what does not fit."""
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("must be an object")
    pid, host, user, moment = (content.get(name) for name in ("pid", "hostname", "username", "timestamp"))
    if not (isinstance(pid, int) and pid > 0 and isinstance(host, str) and host and isinstance(moment, str)):
        raise ValueError("must have pid, hostname and timestamp")
    # Go writes nanoseconds; fromisoformat wants at most microseconds before Python 3.11 and truncates since.
    since = datetime.datetime.fromisoformat(moment)
    if since.tzinfo is None:
        raise ValueError(f"timestamp must have an offset, got {moment}")
    return Holder(pid, host, str(user or "unknown"), since.timestamp())


def started_at(pid: int) -> float | None:
    """Tell when a process started, in seconds of the Unix clock; None when there is provably no such process.

    A zombie counts as gone: it holds a pid and nothing else. A process that may not be looked at started,
    as far as we know, at the beginning of time.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        # It lives and belongs to somebody else; its start can still be read on most systems.
        pass
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except OSError:
        return 0.0
    # The second field is the name in parentheses and may hold anything, so count from its end.
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    ticks = int(fields[19])
    return float(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


@dataclass
class LockKeeper:
    """Judges the locks of one stack in a file backend."""

    steps: Steps
    host: str = socket.gethostname()
    process_start: Callable[[int], float | None] = started_at

    def release_stale(self, backend: str, stack: str) -> None:
        """Remove locks of dead processes of this host; LockError names a lock that may be alive.

        Backends other than files hold no such locks or keep them by their own rules, so they are left alone.
        """
        directory = lock_directory(backend, stack)
        for file in sorted(Path(directory).glob("*.json")) if directory else ():
            self._judge(file, stack)

    def _judge(self, file: Path, stack: str) -> None:
        try:
            holder = parse(file.read_text())
        except FileNotFoundError:
            # Its owner has just finished.
            return
        except ValueError as error:
            raise LockError(
                f"lock of stack {stack}: {file}: cannot be read: {error}\n"
                f"  when no update is running anywhere, release it: pulumi cancel {stack}"
            ) from None
        reason = self._gone(holder)
        if not reason:
            raise LockError(
                f"lock of stack {stack}: held by {holder.describe()}\n"
                f"  wait for that update, or when it is surely dead: pulumi cancel {stack}"
            )
        file.unlink(missing_ok=True)
        # The backend's own note beside each of its files.
        file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)
        self.steps.say("lock", f"released a stale one ({holder.describe()}): {reason}")

    def _gone(self, holder: Holder) -> str:
        """Say why the holder cannot be alive; empty when it may be."""
        if holder.host != self.host:
            return ""
        start = self.process_start(holder.pid)
        if start is None:
            return "no such process is left on this host"
        if start > holder.since + CLOCK_SLACK_S:
            return "that pid belongs to a process that started later"
        return ""

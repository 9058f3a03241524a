"""Failures: the last one of each revision, with its log lines, for the status and for rollouts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from runyard.readable import readable

# What a person reads before scrolling; the whole log is gone with the container anyway.
LOG_LINES = 20
# A line longer than this is data, not a message; it would make the answer unreadable.
LINE_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a revision's last instance died; `final` when trying again cannot help.

    `total` counts all failures of the revision, `streak` those with this same reason in a row, and `oom_kills` those in
    which the kernel ended it for its memory.
    """

    reason: str
    logs: tuple[str, ...] = ()
    final: bool = False
    total: int = 1
    streak: int = 1
    oom_kills: int = 0


def shown_line(line: str) -> str:
    """Cut a line that an instance wrote, and make it readable: it ends on somebody's terminal."""
    return readable(line[:LINE_LENGTH], keep="\t")


class FailureLog:
    """The last failure of each revision, by `tenant/revision`."""

    def __init__(self) -> None:
        self._last: dict[str, Failure] = {}

    def note(
        self, revision: str, reason: str, logs: tuple[str, ...] = (), *, final: bool = False, oom: bool = False
    ) -> Failure:
        """Note a failure and give it with its counts; the reason may have words of the instance's."""
        reason = shown_line(reason)
        before = self._last.get(revision)
        total = before.total + 1 if before else 1
        streak = before.streak + 1 if before and before.reason == reason else 1
        kills = (before.oom_kills if before else 0) + oom
        self._last[revision] = Failure(reason, logs[-LOG_LINES:], final, total, streak, kills)
        return self._last[revision]

    def last(self) -> Mapping[str, Failure]:
        """Give the last failures."""
        return dict(self._last)

    def keep(self, revisions: Collection[str]) -> None:
        """Forget the revisions that are not among these, or a year of updates would fill the memory."""
        for gone in self._last.keys() - set(revisions):
            del self._last[gone]

"""Asking: a part of a stack asked in its container, where its socket is, and its problems as our errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from runyard.errors import HostError, NotFound, RunyardError, UsageError

_ERRORS: dict[int, type[RunyardError]] = {400: UsageError, 404: NotFound}


class Host(Protocol):
    """As much of the engine as this needs."""

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside a running container and give its exit code and what it wrote."""
        ...


def ask_part(host: Host, container: str, command: Sequence[str], absent: str) -> str:
    """Give what a part answers to a command of `runyard.ask`; UsageError, NotFound or HostError for a problem.

    NotFound says `absent` where the stack has no such part.
    """
    try:
        code, output = host.execute(container, command)
    except NotFound as error:
        raise NotFound(absent) from error
    if code == 0:
        return output
    raise _error_of(container, output)


def _error_of(container: str, output: str) -> RunyardError:
    """Make an error of a problem, or of whatever the container wrote instead of one."""
    try:
        problem = json.loads(output)
        return _ERRORS.get(int(problem["status"]), HostError)(str(problem["detail"]))
    except (ValueError, KeyError, TypeError):
        last = output.strip().splitlines()[-1:] or ["it wrote nothing"]
        return HostError(f"ask {container}: {last[0]}")

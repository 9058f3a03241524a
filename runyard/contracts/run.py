"""Run messages: a command that is run once as an instance of a revision, beside those that serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION

# `ending` is being stopped and removed, `failed` has a reason and no exit code that would be the command's own.
RunState = Literal["starting", "running", "ended", "failed", "ending"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Ask for a command to be run once, for at most `timeout_s`, as an instance of a service's revision.

    `run` is the asker's number for it, in hexadecimal digits, so that the request can be repeated. Without a `revision`
    it is that with the largest share of the traffic, without a `container` the one that takes requests. `environment`
    comes on top of the container's, and in the place of what has a name of it.
    """

    tenant: str
    service: str
    run: str
    command: tuple[str, ...]
    revision: str = ""
    container: str = ""
    # Whoever asks may mean them to be secret: no message that is printed whole shows them.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: int = 3600
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run is: `container` is the engine's id of the one that runs the command, empty before it is started.

    `exit_code` is the command's, once it has ended by itself; `reason` says why a run has failed, or what ended it.
    """

    tenant: str
    service: str
    revision: str
    run: str
    state: RunState
    container: str = ""
    exit_code: int | None = None
    reason: str = ""
    late: bool = False
    version: int = VERSION

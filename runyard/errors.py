"""Errors of Runyard, one tree, and the code that a program ends with for each.

RunyardError                    exit 1
+-- UsageError                  exit 2  the command line or a path cannot be used
+-- ManifestError               exit 2  carries every problem found, in stable order
+-- ContractError               exit 1  a message between two parts is not of the agreed shape
+-- HostError                   exit 1  the Docker host refused or failed
|   +-- HostUnreachable         exit 1  no engine answered
|   +-- NotFound                exit 1  the named thing is not on the host
|   +-- Conflict                exit 1  a name or address is taken by somebody else
|   +-- RelayEnded              exit 1  the orchestrator's end of a relay went away
|   +-- RefusedConfiguration    exit 1  nginx does not take the gateway's configuration
|   +-- Refused                 exit 1  the engine will refuse this each time (services.orchestrator)
|   +-- StoreAway               exit 1  the store of logs does not answer (services.logs)
|   +-- StoreRefused            exit 1  the store of logs refuses what it is asked or given (services.logs)
|   +-- Released                exit 1  nobody needs a run any more that is being made (services.orchestrator)
+-- RolloutError                exit 1  a revision did not become ready; nothing was switched
|   +-- RolloutFailed           exit 1  it was given up, with its last log lines (services.orchestrator)
|   +-- RolloutSuperseded       exit 1  a newer request replaced it (services.orchestrator)
+-- Unfinished                  exit 1  a resource is there and not as asked for; the next update mends it (provider)
+-- ToolchainError              exit 1  a tool, package or image is lacking and could not be brought
+-- LedgerError                 exit 1  the ledger refuses what was asked of it (services.billing)
+-- LedgerUnavailable           exit 1  the ledger's database does not answer (services.billing)
+-- MeterUnavailable            exit 1  the meter does not answer, or not with windows (services.billing)
+-- OrchestratorUnavailable     exit 1  the orchestrator does not take what budgets restrict (services.billing)
+-- Refusal                     exit 1  the console says no, with the status of its answer (services.console)
+-- SourceUnavailable           exit 1  what the console reads from does not answer (services.console)
+-- LockError                   exit 1  another update holds the stack, or its lock cannot be judged
+-- GeneratorError              exit 3  a load says nothing of its target: the generator did not keep its own times
+-- PolicyError                 exit 5  a policy, quota or budget refuses the change
+-- VerifyError                 exit 7  what runs is not what was asked for
+-- ChangesError                exit 7  something would change where nothing was to
+-- PlanError                   exit 7  what would be applied is not what was reviewed
+-- CancelledError              exit 8  the user or a signal ended it
+-- DeadlineError               exit 9  the time allowed ran out

A class whose room is named carries data of that room, and is defined in it; all others are defined here. Signals that
are no errors, each caught by the room that raises it: _Stop and AmbiguousScalar (runyard.manifest), UnknownValue
(policies), Unavailable (toolchain).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Finding(Protocol):
    """A problem that can say itself in one line; `runyard.manifest.problems.Problem` is one."""

    def text(self) -> str:
        """Render as `file:line:column: path: message (hint)`."""
        ...


class RunyardError(Exception):
    """Base of every error that Runyard raises on purpose; `exit_code` is what the CLI ends with."""

    exit_code = 1


class UsageError(RunyardError):
    """A command line, path or environment that cannot be used."""

    exit_code = 2


class ManifestError(RunyardError):
    """Manifests with problems: `problems` holds all of them, sorted by file, line and column."""

    exit_code = 2

    def __init__(self, problems: Sequence[Finding]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text() for problem in self.problems))


class ContractError(RunyardError):
    """A message between parts of Runyard that is not of the agreed shape."""


class HostError(RunyardError):
    """An operation that the Docker host refused or failed; the message is a breadcrumb of verbs."""


class HostUnreachable(HostError):
    """No Docker engine answered at the configured address."""


class NotFound(HostError):
    """The named container, image, network or volume is not on the host."""


class Conflict(HostError):
    """A name or address that Runyard needs is held by something it does not own."""


class RelayEnded(HostError):
    """The other side of a relay ended before it answered: not up yet, or restarted; asking anew may help."""


class RefusedConfiguration(HostError):
    """nginx, or the kernel's packet filter, refuses what it is told; the text is its own, nothing changed."""


class RolloutError(RunyardError):
    """A revision that did not become ready in time; traffic was left where it was."""


class ToolchainError(RunyardError):
    """A tool, package, image or file that the machine lacks and that could not be brought or made."""


class LockError(RunyardError):
    """The stack's lock is held, or it cannot be told whether its holder still lives."""


class GeneratorError(RunyardError):
    """A run of load that measured its own generator: late or unsent requests, or a worker that failed."""

    exit_code = 3


class PolicyError(RunyardError):
    """A change that a policy, quota or budget refuses; the message has every reason, a line each."""

    exit_code = 5


class VerifyError(RunyardError):
    """A live stack that differs from its manifests."""

    exit_code = 7


class ChangesError(RunyardError):
    """A change where none was expected."""

    exit_code = 7


class PlanError(RunyardError):
    """A saved plan whose manifests, state or price book have moved since; the message names each."""

    exit_code = 7


class CancelledError(RunyardError):
    """An operation that was interrupted before its end."""

    exit_code = 8


class DeadlineError(RunyardError):
    """An operation that did not end in the time allowed."""

    exit_code = 9

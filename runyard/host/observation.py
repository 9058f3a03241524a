"""Observation of claims: what a host's stacks say that they may use, and what counts of those that say nothing.

Labels are believed only on a container of the very name that they stand for: images bring labels along, and no image
names its container.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runyard import names
from runyard.errors import ContractError, HostError, HostUnreachable, NotFound
from runyard.host.thing import Found
from runyard.plan.claim import Claim, Standing, parse_claim, uses_of
from runyard.plan.quota import Use

# An orchestrator that runs answers in milliseconds; nobody's turn should pass with waiting for another stack's.
ASK_PATIENCE_S = 2.0
# Why an orchestrator tells no claim although it does not keep anybody waiting.
WITHOUT_CLAIM = "its orchestrator keeps none"
_STOPPED = "its orchestrator does not run"
_ABSENT = "it has no orchestrator"
_PASSED_OVER = "its orchestrator did not answer in time"


class ClaimEngine(Protocol):
    """What claims need of an engine; `runyard.host.Engine` has it."""

    def labelled(self, label: str) -> list[Found]:
        """List the containers with a label, running or not."""
        ...

    def limits(self, container: str) -> tuple[int, int]:
        """Give a container's CPU limit in thousandths and its memory limit in bytes."""
        ...

    def create(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        """Create a container that is never started, and give its id; Conflict if the name is taken."""
        ...

    def rename(self, container: str, name: str) -> None:
        """Rename a container; NotFound if it is gone, Conflict if the name is taken."""
        ...

    def discard(self, container: str) -> None:
        """Remove a container by name or id; one that is gone already is fine."""
        ...

    def now(self) -> datetime.datetime:
        """Tell the engine's time."""
        ...


class Keeper(Protocol):
    """What claims need of a stack's orchestrator; `runyard.host.Orchestrator` has it."""

    def running(self) -> bool:
        """Say whether its container runs at all."""
        ...

    def claim(self, patience_s: float = ...) -> str | None:
        """Give the claim that it keeps, None without one; HostError if it does not answer."""
        ...

    def put_claim(self, text: str) -> None:
        """Let it keep a claim in the place of the one that it had."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


# Makes the keeper of a stack's claim.
Keepers = Callable[[str], Keeper]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a host says of claims: those that orchestrators keep, those not handed over yet, and whose turn it is.

    `silent` maps a stack whose orchestrator tells no claim to the reason: of these, `standing` counts. `strangers`
    names containers with the labels of a claim or an orchestrator under another name: nothing of theirs is believed.
    """

    kept: tuple[Claim, ...] = ()
    pending: tuple[Claim, ...] = ()
    turn: str = ""
    silent: Mapping[str, str] = field(default_factory=dict)
    standing: tuple[Standing, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def slow(self) -> frozenset[str]:
        """The stacks whose orchestrators were asked and gave no answer that can be read."""
        return frozenset(stack for stack, why in self.silent.items() if why not in (WITHOUT_CLAIM, _STOPPED, _ABSENT))

    def uses(self) -> tuple[Use, ...]:
        """Give what the services of every stack use, by stack and service."""
        return uses_of((*self.kept, *self.pending), self.standing)

    def elsewhere(self, stack: str) -> tuple[Use, ...]:
        """Give what every other stack uses."""
        return tuple(use for use in self.uses() if use.stack != stack)

    def of(self, stack: str) -> tuple[Claim | None, Claim | None]:
        """Give the claim that a stack's orchestrator keeps, and the one that is not handed over; None for none."""
        kept, pending = ({claim.stack: claim for claim in claims} for claims in (self.kept, self.pending))
        return kept.get(stack), pending.get(stack)


def observe_claims(engine: ClaimEngine, keepers: Keepers, unasked: Collection[str] = ()) -> Claims:
    """Look at all claims of a host; the orchestrators of `unasked` stacks are taken for silent.

    HostError names a claim not handed over that cannot be read (fail closed); an orchestrator that does not answer is
    silent, and an engine that does not is HostUnreachable.
    """
    found = engine.labelled(names.ROLE)
    holders = claimed(found)
    orchestrators = [each for each in found if each.labels[names.ROLE] == names.ROLE_ORCHESTRATOR]
    genuine = [each for each in orchestrators if each.name == names.platform_container(stack_of(each), "orchestrator")]
    instances = [each for each in found if each.labels[names.ROLE] == names.ROLE_INSTANCE and _is_instance(each)]
    kept, silent = [], dict.fromkeys(map(stack_of, instances), _ABSENT)
    for stack in sorted(map(stack_of, genuine)):
        told = _PASSED_OVER if stack in unasked else _ask(keepers(stack), stack)
        if isinstance(told, Claim):
            kept.append(told)
            silent.pop(stack, None)
        else:
            silent[stack] = told
    standing = (_read_limits(engine, each) for each in instances if stack_of(each) in silent)
    forged = [each for each in found if each.labels[names.ROLE] == names.ROLE_CLAIM and each not in holders]
    forged += [each for each in orchestrators if each not in genuine]
    return Claims(
        kept=tuple(kept),
        pending=tuple(_read_claim(each) for each in holders if each.name != names.CLAIM_TURN),
        turn=next((stack_of(each) for each in holders if each.name == names.CLAIM_TURN), ""),
        silent=silent,
        standing=tuple(each for each in standing if each is not None),
        strangers=tuple(sorted(each.name for each in forged)),
    )


def claimed(found: Iterable[Found]) -> list[Found]:
    """Give the containers that hold a claim or the turn, of whichever stack, by label and by name."""
    return [
        each
        for each in found
        if each.labels.get(names.ROLE) == names.ROLE_CLAIM
        and names.CLAIM in each.labels
        and each.name in (names.CLAIM_TURN, names.claim_container(stack_of(each)))
    ]


def stack_of(found: Found) -> str:
    """Give the stack in a container's label."""
    return found.labels.get(names.STACK, "")


def _is_instance(found: Found) -> bool:
    stack, tenant, revision, container, instance = (
        found.labels.get(key, "")
        for key in (names.STACK, names.TENANT, names.REVISION, names.CONTAINER, names.INSTANCE)
    )
    return found.name == names.instance_container(stack, tenant, revision, container, instance)


def _ask(keeper: Keeper, stack: str) -> Claim | str:
    """Ask a stack's orchestrator for its claim, or give why there is none."""
    try:
        with contextlib.closing(keeper):
            if not keeper.running():
                return _STOPPED
            text = keeper.claim(ASK_PATIENCE_S)
            return WITHOUT_CLAIM if text is None else parse_claim(text, stack)
    except HostUnreachable:
        raise
    except (HostError, ContractError) as error:
        return f"its orchestrator tells none: {error}"


def _read_claim(found: Found) -> Claim:
    stack = stack_of(found)
    try:
        return parse_claim(found.labels[names.CLAIM], stack)
    except ContractError as error:
        hint = f"runyard release --stack {stack} removes it"
        raise HostError(f"read the claim {found.name} of stack {stack}: {error} ({hint})") from None


def _read_limits(engine: ClaimEngine, found: Found) -> Standing | None:
    """Read what a container of an instance may use; None for one that was removed since it was listed."""
    try:
        cpu_millis, memory_bytes = engine.limits(found.id)
    except NotFound:
        return None
    labels = found.labels
    return Standing(
        stack=stack_of(found),
        tenant=labels[names.TENANT],
        service=labels.get(names.SERVICE, ""),
        instance=labels[names.INSTANCE],
        cpu_millis=cpu_millis,
        memory_bytes=memory_bytes,
    )

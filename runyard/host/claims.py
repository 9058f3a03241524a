"""Claims on a host: reserve, then apply. They are never-started containers, so every stack's update sees them.

Only one update of a host decides at a time: the engine lets only one container have the name of the turn. The container
that takes the turn is the claim itself; renaming it both claims and gives up the turn, in one step of the engine's. An
update that was killed in its turn loses it after a while, and one that only slept finds its container gone and the
renaming refused, so two can never pass together (docs/adr/0009).
"""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from runyard import contracts, names
from runyard.errors import Conflict, ContractError, HostError, NotFound
from runyard.host.engine import Found
from runyard.plan.claim import Claim, Standing, newest, uses_of
from runyard.plan.quota import Use

# A turn is one listing and a few inspections: under a second, ten on a machine that is busy with other things.
TURN_LIMIT_S = 60
# An update gives up its own turn long before another may take it for dead.
_OWN_LIMIT_S = TURN_LIMIT_S / 2
# Several updates before this one, each in its turn.
_PATIENCE_S = 3 * TURN_LIMIT_S
_LOOK_AGAIN_S = 0.1


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


@dataclass(frozen=True, slots=True)
class Pace:
    """Time as an argument: a monotonic clock in seconds, and a way to wait."""

    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Claims:
    """What a host's containers say of claims: those made, one whose turn it is, and the templates that stand."""

    made: tuple[Claim, ...] = ()
    turn: Claim | None = None
    standing: tuple[Standing, ...] = ()

    def elsewhere(self, stack: str) -> tuple[Use, ...]:
        """Give what every other stack uses."""
        return uses_of(
            (claim for claim in self.made if claim.stack != stack),
            (each for each in self.standing if each.stack != stack),
        )

    def generation(self, stack: str) -> int:
        """Give the number of a stack's newest claim, 0 without any."""
        return max((claim.generation for claim in self.made if claim.stack == stack), default=0)


def observe_claims(engine: ClaimEngine) -> Claims:
    """Look at all claims and templates of a host; HostError names a claim that cannot be read (fail closed)."""
    claims = {found.name: _read_claim(found) for found in _claimed(engine)}
    turn = claims.pop(names.CLAIM_TURN, None)
    covered = {template for claim in newest(claims.values()) for template in claim.templates}
    templates = [each for each in engine.labelled(names.SPEC) if each.labels.get(names.ROLE) == names.ROLE_TEMPLATE]
    standing = (_read_template(engine, found) for found in templates if found.name not in covered)
    return Claims(
        tuple(sorted(claims.values(), key=lambda each: (each.stack, each.generation))),
        turn,
        tuple(each for each in standing if each is not None),
    )


def reserve(
    engine: ClaimEngine, claim: Claim, image: str, decide: Callable[[tuple[Use, ...]], None], pace: Pace = Pace()
) -> None:
    """Claim what a stack uses, once `decide` has seen what the others have; what `decide` raises withdraws it.

    `image` is one that the engine has; the container is never started. HostError if the turn never comes.
    """
    give_up = pace.clock() + _PATIENCE_S
    while True:
        turn = _take_turn(engine, claim, image, pace, give_up)
        began = pace.clock()
        try:
            seen = observe_claims(engine)
            decide(seen.elsewhere(claim.stack))
            if pace.clock() - began < _OWN_LIMIT_S and _commit(engine, turn, claim):
                break
        except BaseException:
            engine.discard(turn)
            raise
        engine.discard(turn)
    for older in seen.made:
        if older.stack == claim.stack:
            engine.discard(names.claim_container(older.stack, older.generation))


def release(engine: ClaimEngine, stack: str) -> int:
    """Give back everything that a stack has claimed, and say how many claims that were."""
    found = [each for each in _claimed(engine) if each.labels.get(names.STACK) == stack]
    for each in found:
        engine.discard(each.id)
    return len(found)


def _take_turn(engine: ClaimEngine, claim: Claim, image: str, pace: Pace, give_up: float) -> str:
    labels = {names.STACK: claim.stack, names.ROLE: names.ROLE_CLAIM, names.CLAIM: contracts.encode(claim)}
    while True:
        with contextlib.suppress(Conflict):
            return engine.create(names.CLAIM_TURN, image, labels)
        holder = next((each for each in _claimed(engine) if each.name == names.CLAIM_TURN), None)
        if holder is not None and (engine.now() - holder.created).total_seconds() > TURN_LIMIT_S:
            # By name: what its holder has renamed meanwhile is a claim, and stays.
            engine.discard(names.CLAIM_TURN)
            continue
        if pace.clock() >= give_up:
            stack = holder.labels.get(names.STACK, "") if holder else ""
            who = f"stack {stack}" if stack else f"a container named {names.CLAIM_TURN} that is not Runyard's"
            raise HostError(f"claim room on the host for stack {claim.stack}: {who} has had the turn for too long")
        pace.wait(_LOOK_AGAIN_S)


def _commit(engine: ClaimEngine, turn: str, claim: Claim) -> bool:
    """Turn the container of the turn into the claim; False if the turn was lost."""
    try:
        engine.rename(turn, names.claim_container(claim.stack, claim.generation))
    except NotFound:
        return False
    return True


def _claimed(engine: ClaimEngine) -> list[Found]:
    """List the claims: a label alone is none, as tenants name labels of their own and Docker adds their images'."""
    return [each for each in engine.labelled(names.CLAIM) if each.labels.get(names.ROLE) == names.ROLE_CLAIM]


def _read_claim(found: Found) -> Claim:
    try:
        return contracts.decode(Claim, found.labels[names.CLAIM])
    except ContractError as error:
        raise HostError(f"read the claim {found.name} of stack {found.labels.get(names.STACK, '')}: {error}") from None


def _read_template(engine: ClaimEngine, found: Found) -> Standing | None:
    """Read what a template uses; None for one that was removed since it was listed.

    Of its label only these fields are looked at: another stack's Runyard may be newer and write more.
    """
    labels = found.labels
    try:
        spec = json.loads(labels[names.SPEC])
        revision = spec.get("revision")
        scale = (int(revision["min_instances"]), int(revision["max_instances"])) if revision else None
        cpu_millis, memory_bytes = engine.limits(found.id)
        memory_bytes = int(spec.get("memory_bytes") or memory_bytes)
    except NotFound:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError(f"read the template {found.name}: {error!r}") from None
    stack, tenant, service, revision = (
        labels.get(key, "") for key in (names.STACK, names.TENANT, names.SERVICE, names.REVISION)
    )
    return Standing(found.name, stack, tenant, service, revision, cpu_millis, memory_bytes, scale)

"""Claims on a host: reserve, then apply. Each stack's orchestrator keeps its stack's claim, and any update may ask it.

Only one update of a host decides at a time: the engine lets only one container have the name of the turn. The container
that takes the turn holds the claim; renaming it both claims and gives up the turn, in one step of the engine's. An
update that was killed in its turn loses it after a while, and one that only slept finds its container gone and the
renaming refused, so two can never pass together. The renamed container stands until the orchestrator keeps the claim,
which on a first update is not there yet (docs/adr/0009, 0016).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from runyard import contracts, names
from runyard.errors import Conflict, HostError, HostUnreachable, NotFound
from runyard.host.observation import (
    WITHOUT_CLAIM,
    ClaimEngine,
    Claims,
    Keeper,
    Keepers,
    claimed,
    observe_claims,
    stack_of,
)
from runyard.host.thing import Found
from runyard.plan.claim import Claim, covers, join, parse_claim
from runyard.plan.quota import Use

__all__ = ["Claims", "Keepers", "Pace", "hand_over", "observe_claims", "release", "reserve"]

# A turn is one listing and a question to each stack: under a second, ten on a machine that is busy with other things.
TURN_LIMIT_S = 60
# An update gives up its own turn long before another may take it for dead.
_OWN_LIMIT_S = TURN_LIMIT_S / 2
# Several updates before this one, each in its turn.
_PATIENCE_S = 3 * TURN_LIMIT_S
_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Pace:
    """Time as an argument: a monotonic clock in seconds, and a way to wait."""

    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a host's claims are made: its engine, a way to each stack's orchestrator, and an image that the engine has.

    The image is never started.
    """

    engine: ClaimEngine
    keepers: Keepers
    image: str
    pace: Pace = Pace()


def reserve(desk: Desk, claim: Claim, decide: Callable[[tuple[Use, ...]], None]) -> None:
    """Claim what a stack uses, once `decide` has seen what the others have; what `decide` raises withdraws it.

    What the stack had claimed before stays claimed, for it still runs, until `hand_over` says what is left. HostError
    if the turn never comes.
    """
    seen = observe_claims(desk.engine, desk.keepers)
    kept, pending = seen.of(claim.stack)
    if kept is not None and pending is None and covers(kept, claim):
        # All others count this much already: nothing is claimed, so nobody's turn is needed.
        decide(seen.elsewhere(claim.stack))
        return
    whole = claim if pending is None else join(pending, claim)
    seen = _claim_in_turn(desk, whole, decide)
    kept, _ = seen.of(claim.stack)
    if kept is not None or seen.silent.get(claim.stack) == WITHOUT_CLAIM:
        handed = whole if kept is None else join(kept, whole)
        try:
            with contextlib.closing(desk.keepers(claim.stack)) as keeper:
                hand_over(desk.engine, keeper, claim.stack, contracts.encode(handed))
        except HostUnreachable:
            raise
        except HostError:
            # The container stands for the claim, until the update hands it over or says why it cannot.
            return


def _claim_in_turn(desk: Desk, claim: Claim, decide: Callable[[tuple[Use, ...]], None]) -> Claims:
    engine, pace = desk.engine, desk.pace
    give_up = pace.clock() + _PATIENCE_S
    # Who made a turn too long is not asked in the next: the limits of its containers count then.
    unasked: frozenset[str] = frozenset()
    while True:
        turn = _take_turn(desk, claim, give_up)
        began = pace.clock()
        try:
            seen = observe_claims(engine, desk.keepers, unasked)
            decide(seen.elsewhere(claim.stack))
            if pace.clock() - began < _OWN_LIMIT_S and _commit(engine, turn, claim.stack):
                return seen
        except BaseException:
            engine.discard(turn)
            raise
        engine.discard(turn)
        unasked = seen.slow


def hand_over(engine: ClaimEngine, keeper: Keeper, stack: str, text: str) -> None:
    """Let a stack's orchestrator keep its claim from now on, in the place of all that the stack had claimed.

    ContractError for a claim that is none, HostError if the orchestrator does not take it.
    """
    parse_claim(text, stack)
    keeper.put_claim(text)
    _discard_pending(engine, stack)


def release(engine: ClaimEngine, stack: str) -> int:
    """Give back what a stack has claimed and not handed over, its turn too, and say how many claims that were."""
    mine = (names.CLAIM_TURN, names.claim_container(stack))
    found = [each for each in _claimed(engine) if stack_of(each) == stack and each.name in mine]
    for each in found:
        engine.discard(each.id)
    return len(found)


def _take_turn(desk: Desk, claim: Claim, give_up: float) -> str:
    engine, pace = desk.engine, desk.pace
    labels = {names.STACK: claim.stack, names.ROLE: names.ROLE_CLAIM, names.CLAIM: contracts.encode(claim)}
    while True:
        with contextlib.suppress(Conflict):
            return engine.create(names.CLAIM_TURN, desk.image, labels)
        holder = next((each for each in _claimed(engine) if each.name == names.CLAIM_TURN), None)
        if holder is not None and (engine.now() - holder.created).total_seconds() > TURN_LIMIT_S:
            # By name: what its holder has renamed meanwhile is a claim, and stays.
            engine.discard(names.CLAIM_TURN)
            continue
        if pace.clock() >= give_up:
            who = (
                f"stack {stack_of(holder)}" if holder else f"a container named {names.CLAIM_TURN} that is not Runyard's"
            )
            raise HostError(f"claim room on the host for stack {claim.stack}: {who} has had the turn for too long")
        pace.wait(_LOOK_AGAIN_S)


def _commit(engine: ClaimEngine, turn: str, stack: str) -> bool:
    """Turn the container of the turn into the claim; False if the turn was lost."""
    name = names.claim_container(stack)
    try:
        try:
            engine.rename(turn, name)
        except Conflict:
            # That of an update which was killed: this one has all of it in its own.
            if not _discard_pending(engine, stack):
                raise
            engine.rename(turn, name)
    except NotFound:
        return False
    return True


def _discard_pending(engine: ClaimEngine, stack: str) -> int:
    found = [each for each in _claimed(engine) if each.name == names.claim_container(stack)]
    for each in found:
        engine.discard(each.id)
    return len(found)


def _claimed(engine: ClaimEngine) -> list[Found]:
    return claimed(engine.labelled(names.CLAIM))

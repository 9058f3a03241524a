"""Transitions: from a seed, a sequence of valid sets of manifests, each a random change of the one before.

Several sequences can be made side by side on one stack, in lanes: Pulumi takes as long for one change as for eight.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.preview.mutations import SECRETS
from tests.preview.transitions import fields, sets, traffic
from tests.preview.transitions.edit import Edit
from tests.preview.transitions.world import MOST_CORES, Words, World, plain, tenant_of

# As many as share an update, which with each more takes longer and with each less does less.
LANES = 8
CHANGES = {**fields.CHANGES, **traffic.CHANGES, **sets.CHANGES}
# How often a kind is chosen; a field, of which there are many, once.
_WEIGHTS = {
    **{name: 3 for name in CHANGES if not name.startswith("field-")},
    **dict.fromkeys(("add", "mutate"), 12),
    **dict.fromkeys(("become", "rewrite", "pin", "move", "rename"), 5),
    # Each of these needs the one before, on one service.
    **dict.fromkeys(("name", "split", "shift"), 10),
    # Only one lane has them.
    **dict.fromkeys(sets.PLATFORM, 10),
}
# What says the same as before: steps of these alone must change nothing.
UNCHANGING = frozenset({"rewrite", "env-order", "field-note", "field-description", "field-metadata-labels"})


@dataclass(frozen=True)
class Step:
    """One transition: what was changed, and the world that it leads to.

    `words` is as in `Edit`, of the services that were there before and still are; `came` and `went` are keys of others.
    """

    number: int
    world: World
    kinds: tuple[str, ...] = ()
    words: dict[str, Words | None] = field(default_factory=dict)
    platform: frozenset[str] = frozenset()
    came: frozenset[str] = frozenset()
    went: frozenset[str] = frozenset()

    def has(self, key: str) -> bool:
        """Say whether the service of a key is of this world, or would be."""
        return tenant_of(key) in self.world.places


@dataclass(frozen=True)
class Stride:
    """One transition in each lane of a stack, made by one update, and the world of all lanes together."""

    number: int
    steps: tuple[Step, ...]
    world: World


class Lane:
    """A world that changes step by step; equal seeds give equal steps, in equal company."""

    def __init__(self, seed: str, number: int = 0) -> None:
        self._chance = random.Random(seed)
        self._steps = itertools.count(1)
        self.world = _begin(number)

    def begin(self) -> Step:
        """Give the first world as step 0."""
        return Step(0, copy.deepcopy(self.world))

    def step(self, cores: float = 0, company: Step | None = None) -> Step:
        """Make the next change; `cores` is what other lanes need at the least.

        `company` is the step beside it that may have changed the Platform for all.
        """
        before = set(self.world.services)
        if company is not None:
            self.world.platform = copy.deepcopy(company.world.platform)
        edit = self._edit(cores)
        if company is not None and "revisions" in company.platform:
            edit.kinds.append("kept")
            edit.words.update(dict.fromkeys(edit.world.services))
        self.world = edit.world
        for entry in self.world.services.values():
            entry.settle(self.world.kept)
        after = set(self.world.services)
        return Step(
            next(self._steps),
            copy.deepcopy(self.world),
            tuple(edit.kinds),
            {key: edit.words.get(key, frozenset()) for key in sorted(before & after)},
            frozenset(edit.platform),
            frozenset(after - before),
            frozenset(before - after),
        )

    def _edit(self, cores: float) -> Edit:
        edit, chance = Edit(self.world, self._chance), self._chance
        wanted = chance.choice((1, 1, 1, 2, 2, 3, 4))
        kinds = [name for name in CHANGES if not (self.world.lane and name in sets.PLATFORM)]
        while len(edit.kinds) < wanted:
            (kind,) = chance.choices(kinds, [_WEIGHTS.get(name, 1) for name in kinds])
            trial = copy.deepcopy(edit, {id(chance): chance})
            # One that needs no more than before is always possible, or a full host would stop everything.
            most = max(MOST_CORES - cores, edit.world.cores)
            if CHANGES[kind](trial) and trial.world.cores <= most:
                edit = trial
                edit.kinds.append(kind)
        return edit


def walk(seed: str, lanes: int = LANES) -> Iterator[Stride]:
    """Give first worlds as stride 0, then one change of each after the other, without end; of equal seeds, equal ones.

    The Platform is lane 0's, which others have to live with.
    """
    side = [Lane(f"{seed}/{number}", number) for number in range(lanes)]
    yield _stride(0, [each.begin() for each in side])
    for number in itertools.count(1):
        steps: list[Step] = []
        for lane in side:
            cores = sum(other.world.cores for other in side if other is not lane)
            steps.append(lane.step(cores, steps[0] if steps else None))
        yield _stride(number, steps)


def _begin(lane: int) -> World:
    world = World(lane=lane)
    world.secrets = {tenant: copy.deepcopy(SECRETS) for tenant in world.places}
    for name in ("ant", "bee"):
        world.add(f"{world.home}/{name}", plain(name))
    for entry in world.services.values():
        entry.settle(world.kept)
    return world


def _stride(number: int, steps: list[Step]) -> Stride:
    worlds = [each.world for each in steps]
    together = World(
        platform=worlds[0].platform,
        tenants={name: spec for each in worlds for name, spec in each.declared.items()},
        services={key: entry for each in worlds for key, entry in each.services.items()},
        secrets={tenant: named for each in worlds for tenant, named in each.secrets.items()},
        style=sum(each.style for each in worlds),
    )
    return Stride(number, tuple(steps), together)

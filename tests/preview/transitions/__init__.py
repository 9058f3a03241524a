"""Transitions: from a seed, a sequence of valid sets of manifests, each a random change of the one before."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.preview.mutations import SECRETS
from tests.preview.transitions import fields, sets, traffic
from tests.preview.transitions.edit import Edit
from tests.preview.transitions.world import TENANTS, Words, World, plain

CHANGES = {**fields.CHANGES, **traffic.CHANGES, **sets.CHANGES}
# How often a kind is chosen; a field, of which there are many, once.
_WEIGHTS = {
    **{name: 3 for name in CHANGES if not name.startswith("field-")},
    **dict.fromkeys(("add", "mutate"), 12),
    **dict.fromkeys(("become", "rewrite", "name", "split", "pin", "move", "rename"), 5),
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


def walk(seed: str) -> Iterator[Step]:
    """Give a first world as step 0, then one change after the other, without end; equal seeds give equal steps."""
    chance = random.Random(seed)
    world = _begin()
    yield Step(0, copy.deepcopy(world))
    for number in itertools.count(1):
        before = set(world.services)
        edit = Edit(world, chance)
        wanted = chance.choice((1, 1, 1, 2, 2, 3, 4))
        while len(edit.kinds) < wanted:
            (kind,) = chance.choices(list(CHANGES), [_WEIGHTS.get(name, 1) for name in CHANGES])
            if CHANGES[kind](edit):
                edit.kinds.append(kind)
        for entry in world.services.values():
            entry.settle(world.kept)
        after = set(world.services)
        words = {key: edit.words.get(key, frozenset()) for key in sorted(before & after)}
        yield Step(
            number,
            copy.deepcopy(world),
            tuple(edit.kinds),
            words,
            frozenset(edit.platform),
            frozenset(after - before),
            frozenset(before - after),
        )


def _begin() -> World:
    world = World(secrets={tenant: copy.deepcopy(SECRETS) for tenant in TENANTS})
    for key in ("default/ant", "default/bee"):
        world.add(key, plain(key.partition("/")[2]))
    for entry in world.services.values():
        entry.settle(world.kept)
    return world

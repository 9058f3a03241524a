"""Edit: one step's changes of a world, and what each says that it changes."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.preview.mutations import REVISION, ROUTE
from tests.preview.transitions.world import BACKEND, FALLBACK, USES, Entry, Words, World, tenant_of


@dataclass
class Edit:
    """The changes of one step, made in `world`.

    `words` says what changes of each service that was there and stays, in the words of a mutation's `changes`; None is
    what cannot be told without the planner. `platform` names the keys of the Platform that change. `touched` is what no
    second change of the step may touch, as two could undo each other.
    """

    world: World
    chance: random.Random
    kinds: list[str] = field(default_factory=list)
    words: dict[str, Words | None] = field(default_factory=dict)
    platform: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    # Keys whose service of before went, though another may have come in its place.
    gone: set[str] = field(default_factory=set)

    def pick(self, fits: Callable[[str, Entry], bool] = lambda key, entry: True) -> tuple[str, Entry] | None:
        """Choose a service that fits, and that this step has not changed yet; nobody else changes it then."""
        found = [
            (key, entry)
            for key, entry in sorted(self.world.services.items())
            if key not in self.touched and fits(key, entry)
        ]
        if not found:
            return None
        key, entry = self.chance.choice(found)
        self.touched.add(key)
        return key, entry

    def take(self, token: str) -> bool:
        """Take what only one change of a step may touch; False if one has it."""
        free = token not in self.touched
        self.touched.add(token)
        return free

    def say(self, key: str, words: Words | None) -> None:
        """Say that this changes of a service, beside what was said before."""
        known = self.words.get(key, frozenset())
        self.words[key] = None if words is None or known is None else known | words
        if words is None or "revision" in words:
            self.revise(self.world.services[key])

    def revise(self, entry: Entry) -> None:
        """Make the template's revision a new one; one with a name of its own needs another."""
        entry.revised = True
        if entry.revision:
            entry.template["metadata"]["name"] = f"{entry.name}-r{self.world.number()}"

    def part(self, key: str, successor: str = "") -> None:
        """Let no service name one that goes; what named it names its successor in the tenant, if there is one."""
        name, tenant = key.partition("/")[2], tenant_of(key)
        for other, entry in self.world.of(tenant):
            if other == key:
                continue
            if name in entry.callees:
                names = sorted({*entry.callees, successor} - {name, "", entry.name})
                entry.note(USES, names)
                self.say(other, REVISION)
                entry.earlier = None
            if entry.annotations.get(FALLBACK) == f"service:{name}":
                entry.note(FALLBACK, [f"service:{successor}"] if successor and successor != entry.name else [])
                self.say(other, ROUTE)
        if self.world.gateway.get(BACKEND) == key:
            del self.world.gateway[BACKEND]
            self.touched.add(BACKEND)
            self.platform.add(BACKEND)

    def remove(self, key: str) -> Entry:
        """Take a service out of the world."""
        self.gone.add(key)
        self.touched.add(key)
        return self.world.services.pop(key)

    def put(self, key: str, entry: Entry) -> None:
        """Put a service in, as one that begins."""
        self.touched.add(key)
        self.world.add(key, entry)
        if key in self.gone:
            self.words[key] = None

    def begin(self, entry: Entry, name: str) -> Entry:
        """Make the beginning of a service of another name out of one: without a past, and without shares of it."""
        manifest = copy.deepcopy(entry.manifest)
        manifest["metadata"]["name"] = name
        manifest["spec"].pop("traffic", None)
        manifest["spec"]["template"]["metadata"].pop("name", None)
        return Entry(manifest, plain=entry.plain)

"""Fuzzer: drives one target with Atheris (libFuzzer for Python), in a process of its own.

python -m tests.fuzz.fuzzer TARGET [options of libFuzzer] [corpus…]
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# What is tried, and the modules of Python whose branches tell the fuzzer what is new: ours, and readers that have no C.
TARGETS: dict[str, tuple[str, ...]] = {
    "manifest": ("runyard.manifest", "runyard.plan", "runyard.readable", "runyard.scaling"),
    "acceptor": (),
    "codec": ("runyard.codec", "runyard.contracts", "json"),
}
# How many inputs that were new are kept at hand to take parts from.
OTHERS = 500
# How often a change is left to libFuzzer, which turns bytes about.
BYTES = 0.2


def import_target(atheris: Any, name: str) -> Any:
    """Import a target's module, with what it tries made to tell its branches; one with a dot tells of its own."""
    module = name if "." in name else f"tests.fuzz.{name}"
    included = list(TARGETS.get(name, (module,)))
    if not included:
        # To Atheris, none is all of them.
        return importlib.import_module(module)
    for each in [each for each in sys.modules if each.split(".")[0] in {"json", "runyard"}]:
        del sys.modules[each]
    with atheris.instrument_imports(include=included):
        return importlib.import_module(module)


class Driver:
    """What libFuzzer calls: it changes inputs as the target says, and tries them."""

    def __init__(self, atheris: Any, target: Any, others: Sequence[bytes]) -> None:
        self._atheris = atheris
        self._target = target
        self._others = list(others)
        # Edges of what runs in another process are counted beside those of Python.
        self._first = [atheris._reserve_counter() for _ in range(getattr(target, "EDGES", 0))][:1]

    def attempt(self, data: bytes) -> None:
        """Try one input."""
        if self._first:
            self._target.attempt(data, self._visit)
        else:
            self._target.attempt(data)

    def _visit(self, edge: int, times: int) -> None:
        # libFuzzer tells 1, 2, 3 and from 4 on apart.
        for _ in range(min(times, 4)):
            self._atheris._trace_branch(self._first[0] + edge)

    def mutate(self, data: bytes, longest: int, seed: int) -> bytes:
        """Change an input; the same seed changes it alike."""
        chance = random.Random(seed)
        changed = None if chance.random() < BYTES else self._target.mutate(data, self._others, chance)
        if changed is None:
            changed = bytes(self._atheris.Mutate(data, longest))
        if len(self._others) < OTHERS:
            self._others.append(data)
        else:
            self._others[chance.randrange(OTHERS)] = data
        return changed[:longest]


def main(arguments: Sequence[str]) -> None:
    """Fuzz until libFuzzer ends the process: 0 when its time is over, another code when an input broke the target."""
    name, *options = arguments
    import atheris

    target = import_target(atheris, name)
    corpus = [Path(each) for each in options if not each.startswith("-")]
    driver = Driver(atheris, target, list(_texts(corpus)))
    atheris.Setup(
        [f"fuzz-{name}", f"-max_len={target.LONGEST}", *options], driver.attempt, custom_mutator=driver.mutate
    )
    atheris.Fuzz()


def _texts(corpus: Sequence[Path]) -> Iterator[bytes]:
    files = sorted(file for each in corpus if each.is_dir() for file in each.iterdir())
    for file in files[:OTHERS]:
        yield file.read_bytes()


if __name__ == "__main__":
    main(sys.argv[1:])

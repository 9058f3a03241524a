"""Interleavings of apply, scale, crash, rollback, kill and lease loss: nothing is ended unasked, and all settles.

A sample runs each time, by a seed that is printed; RUNYARD_INTERLEAVINGS says how many (`make interleavings`: 1,000).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.seeds import given_seed

from .interleaving import Interleaving

COUNT = int(os.environ.get("RUNYARD_INTERLEAVINGS", "8"))
STEPS = 12


def test_interleavings_end_nothing_unasked_and_settle_within_two_ticks(tmp_path: Path) -> None:
    first = given_seed()
    for seed in range(first, first + COUNT):
        directory = tmp_path / str(seed)
        directory.mkdir()
        story = Interleaving(seed, directory)
        try:
            wrong = story.run(STEPS)
        finally:
            story.close()
        if wrong:
            pytest.fail("\n".join([f"seed {seed}:", *story.told, *wrong]))

"""Seeds: what is random in a test is told, and can be had again by giving the seed back."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

VARIABLE = "RUNYARD_SEED"
_ROOT = Path(__file__).resolve().parents[2]


def given_seed() -> int:
    """Give the seed in RUNYARD_SEED, or draw one; it is printed, and pytest shows what a test that failed printed."""
    seed = draw_seed(VARIABLE)
    print(f"seed {seed}: give it back with {VARIABLE}={seed}")
    return seed


def draw_seed(variable: str) -> int:
    """Give the seed in a variable, or else that of what is committed.

    Each commit tries another sample, and tries it again wherever it is run: a commit that was green does not turn red
    by chance, and what it is told to fail on is found at once. Where there is no commit it is drawn by chance.
    """
    given = os.environ.get(variable)
    return int(given) if given else _of_commit() or random.SystemRandom().randrange(2**32)


def _of_commit() -> int | None:
    # The tree and not the commit: it stays the same when a commit is put on top of another one with the same content.
    asked = ["git", "rev-parse", "--verify", "--quiet", "HEAD^{tree}"]
    found = subprocess.run(asked, cwd=_ROOT, capture_output=True, text=True, check=False)
    return int(found.stdout[:8], 16) if found.returncode == 0 else None

"""Seeds: what is random in a test is told, and can be had again by giving the seed back."""

from __future__ import annotations

import os
import random

VARIABLE = "RUNYARD_SEED"


def given_seed() -> int:
    """Give the seed in RUNYARD_SEED, or draw one; it is printed, and pytest shows what a test that failed printed."""
    seed = int(os.environ.get(VARIABLE) or random.SystemRandom().randrange(2**32))
    print(f"seed {seed}: give it back with {VARIABLE}={seed}")
    return seed

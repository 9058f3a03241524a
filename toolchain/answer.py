"""Answer: says that there is nothing to do where there is not, or why Pulumi is asked."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from runyard.pulumi.state import shown_outputs
from runyard.uptodate.check import Comparison
from toolchain.outputs import flatten
from toolchain.uptodate import UpToDate

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Why one asks Pulumi is told by the first reasons; a host that was swept has hundreds.
SHOWN_REASONS = 3


def answer(verb: str, stack: str, manifests: str) -> bool:
    """Answer `up` or `preview` without Pulumi if there is nothing to do; False when Pulumi must be asked."""
    began = time.monotonic()
    comparison = UpToDate(CHECKOUT, os.environ, stack).compare(manifests)
    return say(verb, comparison, time.monotonic() - began, sys.stdout)


def say(verb: str, comparison: Comparison | None, seconds: float, out: TextIO) -> bool:
    """Say what came of judging for so long, and whether that was all."""
    if comparison is None:
        return False
    if comparison.reasons:
        reasons = list(comparison.reasons[:SHOWN_REASONS])
        if len(comparison.reasons) > SHOWN_REASONS:
            reasons.append(f"{len(comparison.reasons) - SHOWN_REASONS} more")
        print(f"{verb}: asks Pulumi: {'; '.join(reasons)}", file=out, flush=True)
        return False
    if verb == "up" and comparison.deployed is not None:
        for name, text in flatten(shown_outputs(comparison.deployed)):
            print(f"{name}: {text}", file=out)
    print(f"{verb}: nothing to do, Pulumi was not asked ({seconds:.2f} s; FORCE=1 asks it)", file=out, flush=True)
    return True

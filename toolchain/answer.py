"""Answer: says that there is nothing to do where there is not, or why Pulumi is asked."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from runyard.pulumi.state import shown_outputs
from runyard.uptodate.check import Comparison
from toolchain import CHECKOUT
from toolchain.outputs import list_outputs
from toolchain.uptodate import UpToDate

# Why one asks Pulumi is told by the first reasons; a host that was swept has hundreds.
SHOWN_REASONS = 3


def answer(verb: str, project: str, stack: str, manifests: str, *, verbose: bool) -> bool:
    """Answer `up` or `preview` without Pulumi if there is nothing to do; False when Pulumi must be asked."""
    began = time.monotonic()
    comparison = UpToDate(CHECKOUT, project, os.environ, stack).compare(manifests)
    return say(verb, comparison, time.monotonic() - began, sys.stdout, verbose=verbose)


def say(verb: str, comparison: Comparison | None, seconds: float, out: TextIO, *, verbose: bool) -> bool:
    """Say what came of judging for so long, and whether that was all; why Pulumi is asked is told if `verbose`."""
    if comparison is None:
        return False
    if comparison.reasons and not verbose:
        return False
    if comparison.reasons:
        reasons = list(comparison.reasons[:SHOWN_REASONS])
        if len(comparison.reasons) > SHOWN_REASONS:
            reasons.append(f"{len(comparison.reasons) - SHOWN_REASONS} more")
        print(f"{verb}: asks Pulumi: {'; '.join(reasons)}", file=out, flush=True)
        return False
    if verb == "up" and comparison.deployed is not None:
        for name, text in list_outputs(shown_outputs(comparison.deployed)):
            print(f"{name}: {text}", file=out)
    print(f"{verb}: nothing to do, Pulumi was not asked ({seconds:.2f} s; --force asks it)", file=out, flush=True)
    return True

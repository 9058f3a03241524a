"""Stack traces: how much of them Pulumi keeps with each resource."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The SDK's own frames of a declaration, at most six, and two of ours: the declaring line and where it was called.
FRAMES = 8


@contextmanager
def short_stack_traces() -> Iterator[None]:
    """Let resources be declared with their nearest frames only.

    Pulumi keeps the trace of each in the state, down to the interpreter's entry. It was a third of the state, which
    is written whole after each step, so with many services a good part of the time of an `up`.
    """
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = FRAMES
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before

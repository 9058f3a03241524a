"""Traces of declarations: how much of them Pulumi is told and keeps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pulumi
from pulumi.runtime import stack as runtime

# The SDK's own frames of a declaration, four of them, and two of ours: the class and the line that declares it.
FRAMES = 6


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


def drop_debug_lines() -> None:
    """Have the SDK send Pulumi no lines for debugging, from now on.

    It sends four for each resource, and waits for each to be taken: with a hundred services, half of what their
    declarations cost. Nobody sees them but with `pulumi --debug`.
    """
    pulumi.log.debug = lambda *_line, **_more: None


class NotMade(pulumi.RunError):
    """A resource on which another depends could not be made; why stands with that one."""


def shorten_failures() -> None:
    """Have the SDK end the program without its own traceback when what a resource depends on has failed.

    Where Pulumi goes on after an error, the SDK has a class for such failures that it means to pass over, and raises it
    nevertheless where dependencies are listed. A program's RunError is shown as it is.
    """
    runtime.ResourceRegistrationFailed = NotMade  # type: ignore[assignment,misc]

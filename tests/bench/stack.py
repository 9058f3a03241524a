"""A stack of a benchmark's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.harness.ports import stack_ports
from tests.harness.stack import Stack


@contextmanager
def bench_stack() -> Iterator[Stack]:
    """Give a stack with nothing in it, on ports that no other has, and take it away again."""
    ports = stack_ports()
    with tempfile.TemporaryDirectory(prefix="runyard-bench-") as directory:
        stack = Stack(Path(directory) / "stack", f"bench{ports.edge}", ports)
        try:
            yield stack
        finally:
            stack.destroy(check=False)
            with suppress(AssertionError):
                stack.pulumi("stack", "rm", "--yes", "--force", stack.name)

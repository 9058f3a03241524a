"""Line-up of a benchmark: the peers that can be had, all serving the same instances."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from tests.bench.peers.peer import Peer
from tests.bench.peers.programs import Programs

# No suite may last longer, whatever hangs.
SUITE_S = 600


class SuiteTimeout(Exception):
    """The benchmark took longer than a suite may."""


@contextmanager
def suite(limit_s: int = SUITE_S) -> Iterator[Path]:
    """Give a directory to a benchmark that is ended, with all that it started, after so many seconds."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SuiteTimeout(f"gave up: the benchmark may take {limit_s} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(limit_s)
    try:
        with tempfile.TemporaryDirectory(prefix="runyard-bench-") as name:
            directory = Path(name)
            # Workers of another user must get in.
            directory.chmod(0o755)
            yield directory
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def serving(
    directory: Path, kinds: Sequence[type[Peer]], programs: Programs, instances: Sequence[int], answer_s: int = 300
) -> Iterator[list[Peer]]:
    """Start every peer that can be had, in order, and stop them all when the block ends."""
    with ExitStack() as stack:
        peers = []
        for number, kind in enumerate(kinds):
            program = programs.find(kind.needs) if kind.needs else Path("nginx")
            if program is None:
                continue
            peer = kind(directory / f"peer-{number}", instances, program, answer_s)
            # Before the start: one that never answers must not stay behind.
            stack.callback(peer.stop)
            peer.start()
            peers.append(peer)
        yield peers

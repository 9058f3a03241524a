"""Decider of the regret benchmark that is Knative's own code, built from the module beside this file.

It is fed as in a cluster: a second's average concurrency each second, a decision every two, and one at once for the
first request of what has no instance, as the activator's poke brings it about.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from runyard.scaling.window import Sample
from tests.harness.programs import go_program

MODULE = Path(__file__).parent
TICK_S = 2.0
# Beyond the start of time, so that no moment of a trace is Go's zero time, which Knative takes for none.
_EPOCH_S = 1_000_000


def knative_binary() -> Path:
    """Build the program unless the cache has it, and return its path."""
    return go_program("bench/knative", MODULE, sources=("go.mod", "go.sum", "main.go"))


class Knative:
    """Knative's decision over a trace, asked through a pipe."""

    def __init__(self, binary: Path, target: float, capacity: float) -> None:
        self._process = subprocess.Popen(
            [binary, str(target), str(capacity)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._second, self._told_ms, self._decided_s = 0, 0, 0.0

    def count(self, sample: Sample, wanted: int, ready: int) -> int:
        """Record what was, and ask when Knative would decide."""
        second = int(sample.at_s + 1e-6)
        if second > self._second:
            # Without a pod there is nobody whom Knative asks, and the activator tells of what waits.
            if wanted or ready or sample.waiting:
                passed_ms = 1000 * (second - self._second)
                self._write("r", second - 0.5, (sample.request_ms - self._told_ms) / passed_ms)
            self._second, self._told_ms = second, sample.request_ms
        poked = not wanted and sample.waiting > 0
        if poked:
            self._write("r", sample.at_s, 1.0)
        if not poked and sample.at_s - self._decided_s < TICK_S - 1e-6:
            return wanted
        self._decided_s = sample.at_s
        self._write("s", sample.at_s, ready)
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        return wanted if answer == "-" else int(answer)

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _write(self, kind: str, at_s: float, value: float) -> None:
        assert self._process.stdin is not None
        print(kind, _EPOCH_S + at_s, value, file=self._process.stdin, flush=kind == "s")

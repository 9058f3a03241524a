"""Buckets of latencies: of equal width on a logarithmic scale, so that runs can be added up and compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

# A twentieth of an octave, 3.5 %: finer than two runs of one system agree.
_PER_OCTAVE = 20
# The first bucket ends at a microsecond.
_LEAST_MS = 0.001


def bucket_of(ms: float) -> int:
    """Give the number of the bucket that a latency lies in."""
    return max(0, math.ceil(_PER_OCTAVE * math.log2(max(ms, _LEAST_MS) / _LEAST_MS)))


def middle_ms(bucket: int) -> float:
    """Give the latency in the middle of a bucket, in milliseconds, on its own scale."""
    return float(_LEAST_MS * 2 ** ((bucket - 0.5) / _PER_OCTAVE))


def count(latencies_ms: Iterable[float]) -> tuple[tuple[int, int], ...]:
    """Count latencies by bucket, in order."""
    return tuple(sorted(Counter(map(bucket_of, latencies_ms)).items()))


def quantile(counts: Mapping[int, float], part: float) -> float:
    """Give the latency, in milliseconds, that this part (0 to 1) of those counted is not above; NaN of none."""
    left = part * sum(counts.values())
    found = math.nan
    for bucket in sorted(counts):
        if counts[bucket] > 0:
            found = middle_ms(bucket)
            left -= counts[bucket]
            # What adding up parts leaves of nothing.
            if left <= 1e-9:
                break
    return found

"""Failures: the grammar of `runyard.dev/retries` and `runyard.dev/breaker`, what the gateway does when instances fail.

Both are settings `NAME=VALUE` separated by commas, such as `attempts=3,backoff=25ms..1s`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from runyard.contracts import Breaker, Retries
from runyard.manifest.problems import render_value

RETRIES, BREAKER = "runyard.dev/retries", "runyard.dev/breaker"
OFF = "off"
# nginx lets a request come back ten times in its life; what is left of these the gateway's own answers need.
MOST_ATTEMPTS = 7
_MOST_FAILURES = 1000
# Envoy's default for the longest back-off: ten times the first.
_BACKOFF_RATIO = 10
_LONGEST_BACKOFF_MS, _LONGEST_PATIENCE_MS, _LONGEST_OPEN_MS = 10_000, 60_000, 300_000
_SECOND_MS = 1000
_NUMBER = re.compile(r"[0-9]{1,6}")
_TIME = re.compile(r"([0-9]{1,6})(ms|s)")


def parse_retries(text: str) -> Retries:
    """Parse `attempts=N[,backoff=TIME[..TIME]]`; ValueError says which setting breaks which rule."""
    found = parse_settings(text, ("attempts", "backoff"))
    if "attempts" not in found:
        raise ValueError(f"must have attempts=NUMBER, got {render_value(text)}")
    attempts = _number("attempts", found["attempts"], 0, MOST_ATTEMPTS)
    if "backoff" not in found:
        return Retries(attempts)
    first, most = _times("backoff", found["backoff"], _LONGEST_BACKOFF_MS, 1)
    return Retries(attempts, first, most or min(_BACKOFF_RATIO * first, _LONGEST_BACKOFF_MS))


def parse_breaker(text: str) -> Breaker:
    """Parse `off`, or any of `failures=N,patience=TIME,open=TIME[..TIME]`; ValueError as of retries.

    What is not said is as in `runyard.contracts.Breaker`; the longest time open is never below the first.
    """
    default = Breaker()
    if text == OFF:
        return Breaker(failures=0)
    found = parse_settings(text, ("failures", "patience", "open"))
    failures, patience_s = default.failures, default.patience_s
    open_s, most_s = default.open_s, default.open_most_s
    if "failures" in found:
        failures = _number("failures", found["failures"], 1, _MOST_FAILURES)
    if "patience" in found:
        patience, _ = _times("patience", found["patience"], _LONGEST_PATIENCE_MS, _SECOND_MS, alone=True)
        patience_s = patience // _SECOND_MS
    if "open" in found:
        first, most = _times("open", found["open"], _LONGEST_OPEN_MS, _SECOND_MS)
        open_s = first // _SECOND_MS
        most_s = most // _SECOND_MS if most else max(open_s, default.open_most_s)
    return Breaker(failures, patience_s, open_s, most_s)


def parse_settings(text: str, known: tuple[str, ...]) -> Mapping[str, str]:
    """Parse settings of these names, each at most once; ValueError names what is none."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not equals or name not in known:
            raise ValueError(f"must be NAME=VALUE of {', '.join(known)}, got {render_value(part.strip())}")
        if name in found:
            raise ValueError(f"must say each setting once, got {name} twice")
        found[name] = value
    return found


def _number(name: str, text: str, least: int, most: int) -> int:
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise ValueError(f"{name}: must be {least} to {most}, got {render_value(text)}")
    return int(text)


def _times(name: str, text: str, most_ms: int, grain_ms: int, *, alone: bool = False) -> tuple[int, int]:
    """Give the first and the longest time in milliseconds, 0 where no longest one is said."""
    unit = "1s" if grain_ms == _SECOND_MS else "1ms"
    form = f"must be TIME{'' if alone else ' or TIME..TIME'} from {unit} to {most_ms // _SECOND_MS}s"
    texts = text.split("..")
    matches = [_TIME.fullmatch(each) for each in texts]
    times = [int(each[1]) * (_SECOND_MS if each[2] == "s" else 1) for each in matches if each]
    fits = len(times) == len(texts) <= (1 if alone else 2) and times == sorted(times)
    if not fits or any(not grain_ms <= each <= most_ms or each % grain_ms for each in times):
        raise ValueError(f"{name}: {form}, got {render_value(text)}")
    return times[0], times[1] if len(times) > 1 else 0

"""Units of what panels show, and values in them as people read them."""

from __future__ import annotations

from typing import Literal

Unit = Literal["requests/s", "requests", "ratio", "s", "instances", "cores", "bytes", "bytes/s", "count", "money"]
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
# From which on a time is told in a larger unit, and how long that is.
_TIMES = ((172_800, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"), (1, 1, "s"))


def render_value(value: float | None, unit: Unit) -> str:
    """Render a value to three digits with its unit, in the size that fits it; a dash where there is none."""
    if value is None:
        return "-"
    if unit == "ratio":
        return f"{_number(value * 100)} %"
    if unit == "s":
        return _time(value)
    if unit in ("bytes", "bytes/s"):
        return _bytes(value) + unit.removeprefix("bytes")
    return _number(value) + ("/s" if unit == "requests/s" else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _time(seconds: float) -> str:
    for least, size, name in _TIMES:
        if abs(seconds) >= least:
            return f"{_number(seconds / size)} {name}"
    return f"{_number(seconds * 1000)} ms"


def _bytes(value: float) -> str:
    at = 0
    while abs(value) >= 1024 and at < len(_BINARY) - 1:
        value, at = value / 1024, at + 1
    return f"{_number(value)} {_BINARY[at]}"

"""Quantities as Kubernetes writes them, parsed exactly into base units; counts and moments as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

# Kubernetes: binary suffixes are powers of 1024, decimal ones powers of 1000, `m` is a thousandth.
# Source: k8s.io/apimachinery/pkg/api/resource.Quantity. Exponents (`1e3`) are left out on purpose: nobody
# writes them by hand, and `1e308` is an attack.
_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal(1) / 1000,
    "k": Decimal(1000),
    "M": Decimal(1000) ** 2,
    "G": Decimal(1000) ** 3,
    "T": Decimal(1000) ** 4,
    "Ki": Decimal(1024),
    "Mi": Decimal(1024) ** 2,
    "Gi": Decimal(1024) ** 3,
    "Ti": Decimal(1024) ** 4,
}
QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(|m|k|M|G|T|Ki|Mi|Gi|Ti)")
DURATION = re.compile(r"([0-9]{1,9})(s|m|h)?")
# Money and counts of it: twelve digits on either side hold a nation's budget and a billionth of a cent.
AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_quantity(text: str) -> Decimal:
    """Parse a Kubernetes quantity such as `250m`, `1.5` or `512Mi`; ValueError says what was seen."""
    match = QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a quantity such as 500m, 2 or 512Mi, got {text!r}")
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def parse_cpu_millis(text: str) -> int:
    """Parse a CPU quantity into thousandths of a core; ValueError if it is finer than that."""
    return _whole(parse_quantity(text) * 1000, text, "a thousandth of a CPU")


def parse_bytes(text: str) -> int:
    """Parse a memory or storage quantity into bytes; ValueError if it is not a whole number."""
    return _whole(parse_quantity(text), text, "a byte")


def parse_duration_s(text: str) -> int:
    """Parse a duration of whole seconds such as `90`, `60s`, `5m` or `1h`; ValueError says what was seen."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a duration of whole seconds such as 60s, 5m or 1h, got {text!r}")
    return int(match[1]) * _SECONDS[match[2] or ""]


def parse_amount(value: str | int | float) -> Decimal:
    """Parse an amount of money or a price exactly; ValueError says what was seen.

    A float is taken as the shortest decimal that it stands for, which is what was written: the reader of manifests
    refuses numbers of more digits than a float keeps.
    """
    text = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
    if isinstance(value, bool) or AMOUNT.fullmatch(text) is None:
        raise ValueError(
            f"must be an amount such as 12.50 with at most 12 digits before and after the point, got {value!r}"
        )
    return Decimal(text)


def _whole(value: Decimal, text: str, grain: str) -> int:
    if value != value.to_integral_value():
        raise ValueError(f"must be a multiple of {grain}, got {text!r}")
    return int(value)


def render_count(count: int, noun: str) -> str:
    """Render a count of what has a regular plural: `1 instance`, `2 instances`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def render_time(unix_s: float) -> str:
    """Render a time, in seconds since 1970, to the second, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

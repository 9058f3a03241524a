"""Scalars of YAML as manifests mean them: YAML 1.2's core types.

What YAML 1.1 reads differently is refused, because the same file would mean something else to another tool.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

Scalar = str | int | float | bool | None

# Only these characters can start a plain scalar that is not simply text.
_SPECIAL_START = frozenset("0123456789+-.~nNtTfFyYoO")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
# YAML 1.1 reads these as booleans, YAML 1.2 as text.
_OLD_BOOLEAN = frozenset(
    spelling for word in ("y", "n", "yes", "no", "on", "off") for spelling in (word, word.capitalize(), word.upper())
)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# Octal with one or both spellings, other bases, base 60, digit separators, exponents, a sign before a point: numbers to
# one of the two.
_AMBIGUOUS_NUMBER = re.compile(
    r"[-+]?0[0-9]+(?:\.[0-9]*)?|[-+]?0o[0-7]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0b[01_]+"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"
    r"|[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+|[-+]\.[0-9]+"
)
# More digits than 64-bit readers take; Python would also refuse to convert thousands of them.
_DIGITS_LIMIT = 18


class AmbiguousScalar(ValueError):
    """A plain scalar that tools read differently; the message says what it could be."""


@lru_cache(maxsize=4096)
def parse_scalar(text: str) -> Scalar:
    """Parse a plain scalar; AmbiguousScalar if YAML 1.1 and 1.2 disagree about it."""
    if text == "":
        return None
    if text[0] not in _SPECIAL_START:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text in _OLD_BOOLEAN:
        raise AmbiguousScalar("is a boolean to some readers of YAML and text to others")
    return _parse_number(text)


def _parse_number(text: str) -> Scalar:
    if _INTEGER.fullmatch(text):
        if len(text) > _DIGITS_LIMIT:
            raise AmbiguousScalar(f"is a number of more than {_DIGITS_LIMIT} digits")
        return int(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
        # What a float does not keep would become another price without a word.
        if Decimal(repr(number)) != Decimal(text):
            raise AmbiguousScalar("is a number of more digits than readers of YAML keep")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise AmbiguousScalar("is not a finite number")
    if _AMBIGUOUS_NUMBER.fullmatch(text):
        raise AmbiguousScalar("is a different number, or text, to different readers of YAML")
    return text

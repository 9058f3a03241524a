"""Mutation of JSON as what it is: a value is replaced, moved, doubled or left out, and what comes of it still parses.

Bytes that are turned about at random hardly ever get past a parser.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

# What readers stumble over: ends of ranges, what is no number, text that is none, what other languages count otherwise.
NUMBERS = (0, 1, -1, 100, 101, 65535, 65536, 86400, 86401, 2**31, 2**53, 2**53 + 1, 2**63, 10**30, 0.5, -0.0, 1e308)
TEXTS = (
    *("", "*", "*.", ".", "/", "//", "/..", "a", "-", "a-", "A", "a" * 63, "a" * 64, "a/b", "a/b/c", "*.a.localhost"),
    *("10.0.0.1", "10.0.0.1:80", "[::1]:80", "::1", ":::", "10.0.0.1:0", "10.0.0.1:00080", "999.1.1.1", "a:b"),
    *("\x00", "\n", "\x7f", "\x1b[31m", "\u2028", "é", "😀", "\ud800", '"', "\\", "%00", "http1", "h2c", "all"),
)
# As they stand in a text: what json.dumps never writes.
LITERALS = ("NaN", "-Infinity", "1e999", "-0", "0x10", "01", "1.", "true", "null", "[]", "{}", "1E400", '"\\ud800"')
_MARK = "\u0001literal"


def mutate_json(text: bytes, others: Sequence[bytes], chance: random.Random) -> bytes | None:
    """Change a JSON text in up to three places, with parts of others; None where there is none to change."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for _ in range(chance.randint(1, 3)):
        tree = _change(tree, others, chance)
    written = json.dumps(tree, separators=(",", ":"), ensure_ascii=chance.random() < 0.5)
    while _MARK in written or json.dumps(_MARK)[1:-1] in written:
        mark = f'"{_MARK}"' if f'"{_MARK}"' in written else json.dumps(_MARK)
        if mark not in written:
            break
        written = written.replace(mark, chance.choice(LITERALS), 1)
    return written.encode("utf-8", "surrogatepass")


def _change(tree: Any, others: Sequence[bytes], chance: random.Random) -> Any:
    """Change one place of a tree, chosen among all of them alike."""
    places = list(_places(tree))
    if not places:
        return _value(tree, others, chance)
    holder, key = chance.choice(places)
    action = chance.randrange(6)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, dict):
        holder[_key(holder, key, others, chance)] = holder.pop(key)
    elif action == 2:
        another, name = chance.choice(places)
        # Only what is still there: an action before may have taken it away with what holds it.
        if isinstance(another, list) or name in another:
            holder[key] = json.loads(json.dumps(another[name]))
    elif action == 3 and isinstance(holder, list):
        holder.extend([holder[key]] * chance.choice((1, 2, 50)))
    elif action == 3:
        holder[_key(holder, key, others, chance)] = holder[key]
    else:
        holder[key] = _value(holder[key], others, chance)
    return tree


def _places(tree: Any) -> Any:
    """Give every holder and key of a tree, from the root."""
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in list(keys):
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])


def _key(holder: Any, key: Any, others: Sequence[bytes], chance: random.Random) -> str:
    known = _names(chance.choice(others)) if others else []
    return chance.choice([*holder, *known, *TEXTS, f"{key}{chance.choice('abz09-._/')}"])


def _names(text: bytes) -> list[str]:
    try:
        return [key for holder, key in _places(json.loads(text)) if isinstance(holder, dict)]
    except (ValueError, RecursionError):
        return []


def _value(value: Any, others: Sequence[bytes], chance: random.Random) -> Any:
    kind = chance.randrange(6)
    if kind == 0:
        return chance.choice(NUMBERS)
    if kind == 1:
        return chance.choice(TEXTS)
    if kind == 2:
        return _MARK
    if kind == 3 and isinstance(value, str) and value:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("", value[at] * 2, chance.choice(TEXTS))) + value[at + 1 :]
    if kind == 3 and isinstance(value, int | float):
        return value + chance.choice((1, -1, 100, -100)) if abs(value) < 2**60 else -value
    if kind == 4 and others:
        try:
            tree = json.loads(chance.choice(others))
        except (ValueError, RecursionError):
            return [value]
        places = list(_places(tree))
        return places and (lambda each: each[0][each[1]])(chance.choice(places))
    return chance.choice(([value], {"a": value}, value, [], {}, None, True))

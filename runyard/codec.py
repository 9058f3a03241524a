"""Codec: frozen dataclasses as canonical JSON and back, every field checked against its type."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import reprlib
import types
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from runyard.errors import ContractError

VERSION = 1

Message = TypeVar("Message")
# Amounts travel as text: a number of JSON is a float to most readers.
_DECIMAL = re.compile(r"-?[0-9]{1,24}(?:\.[0-9]{1,24})?")

# Half of a pair of UTF-16, maybe alone: then the text has no UTF-8, and whoever writes it somewhere fails.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# As much of a value as an error shows, which is logged and answered.
_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxlong, _SHOWN.maxother = 2, 120, 40, 120
# A key that is longer, or does not print, is shown as a value is.
_LONGEST_KEY = 120


def encode(message: Any) -> str:
    """Encode a message as canonical JSON: keys sorted, no spaces, equal messages give equal text, decimals as text."""
    return json.dumps(message, default=_members, sort_keys=True, separators=(",", ":"))


def _members(message: Any) -> dict[str, Any] | str:
    if isinstance(message, Decimal):
        return format(message, "f")
    # `dataclasses.asdict` would copy all that is below as well, which takes longer than to write it.
    return {each.name: getattr(message, each.name) for each in dataclasses.fields(message)}


def encode_differing(message: Any) -> str:
    """Encode what differs from the defaults, for hashing: a newer field at its default leaves the text as it was."""
    return json.dumps(_differing(message), sort_keys=True, separators=(",", ":"))


def _differing(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: _differing(item)
            for each in dataclasses.fields(value)
            if (item := getattr(value, each.name)) != _default(each)
        }
    if isinstance(value, tuple):
        return [_differing(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _differing(item) for key, item in value.items()}
    return value


def _default(field: dataclasses.Field[Any]) -> Any:
    """Give a field's default; MISSING, which equals no value, for one that must be given."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def decode(kind: type[Message], text: str | bytes) -> Message:
    """Decode JSON in UTF-8 into a message of this kind; ContractError names the field that does not fit."""
    try:
        value = _parse(text.decode() if isinstance(text, bytes) else text)
    except ValueError as error:
        raise ContractError(f"decode {kind.__name__}: not JSON: {error}") from None
    except RecursionError:
        raise ContractError(f"decode {kind.__name__}: not JSON: nested too deeply") from None
    message: Message = _build(kind, value, kind.__name__)
    version = getattr(message, "version", VERSION)
    if version != VERSION:
        raise ContractError(f"decode {kind.__name__}: version: must be {VERSION}, got {version}")
    return message


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


# What Python's own `loads` takes beyond RFC 8259 (NaN, Infinity, 1e999) would be written back as what no other reader
# takes.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _parse(text: str) -> Any:
    value = _DECODER.decode(text)
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair is no text") from None
    return value


def fields_of(kind: type) -> frozenset[str]:
    """List the names of a message's fields."""
    return frozenset(each.name for each in dataclasses.fields(kind))


class _Shape(NamedTuple):
    """What is asked of each kind of message once, and not of each message: its fields' types, and the needed ones."""

    types: Mapping[str, Any]
    needed: tuple[str, ...]
    # Those that no printed message shows (`repr=False`), because they are secret: no error shows them either.
    secret: frozenset[str]


@cache
def _shape(kind: type) -> _Shape:
    hints, fields = get_type_hints(kind), dataclasses.fields(kind)
    needed = [each for each in fields if each.default is each.default_factory is dataclasses.MISSING]
    secret = frozenset(each.name for each in fields if not each.repr)
    return _Shape({each.name: hints[each.name] for each in fields}, tuple(each.name for each in needed), secret)


def _build(kind: Any, value: Any, path: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(arm for arm in get_args(kind) if arm is not types.NoneType)
        return None if value is None else _build(inner, value, path)
    if origin is Literal:
        return _expect(value in get_args(kind), value, path, f"one of {', '.join(map(str, get_args(kind)))}")
    if origin is tuple:
        return _build_tuple(get_args(kind), value, path)
    if origin is Mapping:
        _expect(isinstance(value, dict), value, path, "an object")
        return {key: _build(get_args(kind)[1], item, f"{path}.{_key(key)}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, path)
    if kind is Decimal:
        fits = isinstance(value, str) and _DECIMAL.fullmatch(value) is not None
        return Decimal(_expect(fits, value, path, "a decimal number as text"))
    # bool is an int to Python, but never to us.
    return _expect(type(value) is kind, value, path, f"of type {kind.__name__}")


def _build_tuple(arms: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list), value, path, "a list")
    if len(arms) == 2 and arms[1] is Ellipsis:
        return tuple(_build(arms[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    _expect(len(value) == len(arms), value, path, f"a list of {len(arms)}")
    if tuple(map(type, value)) == arms:
        # Plain values, and right: there may be tens of thousands of such rows.
        return tuple(value)
    return tuple(
        _build(arm, item, f"{path}[{index}]") for index, (arm, item) in enumerate(zip(arms, value, strict=True))
    )


def _build_dataclass(kind: Any, value: Any, path: str) -> Any:
    _expect(isinstance(value, dict), value, path, "an object")
    shape = _shape(kind)
    if not value.keys() <= shape.types.keys():
        unknown = min(value.keys() - shape.types.keys())
        raise ContractError(f"decode {path}: unknown field {_SHOWN.repr(unknown)}")
    for name in shape.needed:
        if name not in value:
            raise ContractError(f"decode {path}: field {name!r} is missing")
    built = {}
    for name, item in value.items():
        wanted = shape.types[name]
        # Most fields are plain values, and right; where each one is takes longer to say than to look at it.
        built[name] = item if type(item) is wanted else _build_field(shape, name, item, path)
    return kind(**built)


def _build_field(shape: _Shape, name: str, item: Any, path: str) -> Any:
    try:
        return _build(shape.types[name], item, f"{path}.{name}")
    except ContractError:
        if name not in shape.secret:
            raise
        raise ContractError(f"decode {path}.{name}: does not fit, and is not shown: it is secret") from None


def _key(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY and key.isprintable() else _SHOWN.repr(key)


def _expect(holds: bool, value: Any, path: str, rule: str) -> Any:
    if not holds:
        raise ContractError(f"decode {path}: must be {rule}, got {_SHOWN.repr(value)}")
    return value

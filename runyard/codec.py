"""Codec: frozen dataclasses as canonical JSON and back, every field checked against its type."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from runyard.errors import ContractError

VERSION = 1

Message = TypeVar("Message")


def encode(message: Any) -> str:
    """Encode a message as canonical JSON: keys sorted, no spaces, equal messages give equal text."""
    return json.dumps(dataclasses.asdict(message), sort_keys=True, separators=(",", ":"))


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
    """Decode JSON into a message of this kind; ContractError names the field that does not fit."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContractError(f"decode {kind.__name__}: not JSON: {error}") from None
    message: Message = _build(kind, value, kind.__name__)
    version = getattr(message, "version", VERSION)
    if version != VERSION:
        raise ContractError(f"decode {kind.__name__}: version: must be {VERSION}, got {version}")
    return message


def fields_of(kind: type) -> frozenset[str]:
    """List the names of a message's fields."""
    return frozenset(each.name for each in dataclasses.fields(kind))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


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
        return {key: _build(get_args(kind)[1], item, f"{path}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, path)
    # bool is an int to Python, but never to us.
    return _expect(type(value) is kind, value, path, f"of type {kind.__name__}")


def _build_tuple(arms: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list), value, path, "a list")
    if len(arms) == 2 and arms[1] is Ellipsis:
        return tuple(_build(arms[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    _expect(len(value) == len(arms), value, path, f"a list of {len(arms)}")
    return tuple(
        _build(arm, item, f"{path}[{index}]") for index, (arm, item) in enumerate(zip(arms, value, strict=True))
    )


def _build_dataclass(kind: Any, value: Any, path: str) -> Any:
    _expect(isinstance(value, dict), value, path, "an object")
    known = {each.name: each for each in dataclasses.fields(kind)}
    for name in sorted(value.keys() - known.keys()):
        raise ContractError(f"decode {path}: unknown field {name!r}")
    for name, each in known.items():
        required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise ContractError(f"decode {path}: field {name!r} is missing")
    hints = _hints(kind)
    return kind(**{name: _build(hints[name], item, f"{path}.{name}") for name, item in value.items()})


def _expect(holds: bool, value: Any, path: str, rule: str) -> Any:
    if not holds:
        raise ContractError(f"decode {path}: must be {rule}, got {value!r}")
    return value

"""Properties of a resource as rules see them: Python's own values, made of what Pulumi sends.

What is not known before the update is an `Unknown`, which answers no question: a rule that asks it one is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from runyard.pulumi.marks import SECRET, SIGNATURE, UNKNOWN_TEXT

Properties = Mapping[str, Any]

# What stands for a value that is not known yet, one text for each type (sdk/go/common/resource/plugin/rpc.go).
UNKNOWNS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        UNKNOWN_TEXT,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class UnknownValue(Exception):
    """A rule asked for a value that only the update will know."""


class Unknown:
    """A value that is not known yet: whatever is asked of it raises UnknownValue."""

    def _refuse(self, *_: object) -> NoReturn:
        raise UnknownValue

    __bool__ = __str__ = __repr__ = __format__ = __float__ = __int__ = __index__ = __len__ = _refuse
    __iter__ = __getitem__ = __contains__ = __eq__ = __ne__ = __hash__ = __getattr__ = _refuse


class _Absent:
    """What is taken away instead of being handed over."""


_ABSENT = _Absent()


def read_properties(struct: Any, *, secrets: bool = True) -> dict[str, Any]:
    """Read a protobuf Struct; with `secrets` they are handed over like any other value, without they are left out."""
    found = _read_struct(struct.fields, secrets)
    return found if isinstance(found, dict) else {}


def _read(value: Any, secrets: bool) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return Unknown() if value.string_value in UNKNOWNS else value.string_value
    if kind == "struct_value":
        return _read_struct(value.struct_value.fields, secrets)
    if kind == "list_value":
        return [each for each in _read_all(value.list_value.values, secrets) if each is not _ABSENT]
    return None if kind == "null_value" else getattr(value, kind)


def _read_struct(fields: Mapping[str, Any], secrets: bool) -> Any:
    if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET:
        return _read(fields["value"], secrets) if secrets else _ABSENT
    found = ((key, _read(value, secrets)) for key, value in fields.items())
    return {key: value for key, value in found if value is not _ABSENT}


def _read_all(values: Any, secrets: bool) -> Iterator[Any]:
    return (_read(each, secrets) for each in values)

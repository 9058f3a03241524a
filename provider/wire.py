"""Wire format of Pulumi's properties: plain values, among them unknown ones and secrets, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct, Value

from runyard.pulumi.marks import SECRET, SIGNATURE, UNKNOWN_TEXT


class Unknown:
    """What a preview does not know yet; it equals nothing but itself."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


def decode(properties: Struct) -> dict[str, Any]:
    """Give properties as plain values; a secret is its value, and what is not known yet is UNKNOWN."""
    return {key: _decode(value) for key, value in properties.fields.items()}


def encode(plain: Mapping[str, Any], secret: Mapping[str, str] | None = None) -> Struct:
    """Give properties in the wire format: texts, numbers, truths, UNKNOWN, and lists and maps of them."""
    found = Struct()
    for key, value in plain.items():
        _encode(value, found.fields[key])
    for key, value in (secret or {}).items():
        _encode({SIGNATURE: SECRET, "value": value}, found.fields[key])
    return found


def _decode(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET:
            return _decode(fields["value"])
        return {key: _decode(item) for key, item in fields.items()}
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        # The wire knows no integers.
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    return value.bool_value if kind == "bool_value" else None


def _encode(value: Any, into: Value) -> None:
    if value is UNKNOWN:
        into.string_value = UNKNOWN_TEXT
    elif isinstance(value, str):
        into.string_value = value
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = value
    elif isinstance(value, Mapping):
        into.struct_value.SetInParent()
        for key, item in value.items():
            _encode(item, into.struct_value.fields[key])
    elif isinstance(value, list | tuple):
        into.list_value.SetInParent()
        for item in value:
            _encode(item, into.list_value.values.add())
    else:
        into.null_value = 0

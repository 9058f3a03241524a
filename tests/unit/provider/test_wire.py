"""Pulumi's wire format, there and back."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from provider import wire
from provider.wire import UNKNOWN


@pytest.mark.parametrize(
    "value", ["text", "", 7, 0.5, True, None, UNKNOWN, [1, "a", [None]], [], {"a": {"b": [UNKNOWN]}}, {}]
)
def test_values_survive_the_way_through_the_wire(value: Any) -> None:
    assert wire.decode(wire.encode({"key": value})) == {"key": value}


def test_secret_is_marked_on_the_wire_and_a_plain_value_behind_it() -> None:
    sent = wire.encode({"public": "a"}, {"private": "b"})
    assert MessageToDict(sent) == {
        "public": "a",
        "private": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "b"},
    }
    assert wire.decode(sent) == {"public": "a", "private": "b"}


def test_secret_that_is_not_known_yet_is_unknown() -> None:
    sent = Struct()
    sent.update(
        {
            "key": {
                "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
                "value": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
            }
        }
    )
    assert wire.decode(sent) == {"key": UNKNOWN}


def test_unknown_equals_itself_alone() -> None:
    text: object = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert text != UNKNOWN
    assert repr(UNKNOWN) == "unknown"

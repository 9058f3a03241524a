"""The codec on messages of its own: what it writes, what it reads back, and what it says of what does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import pytest

from runyard.codec import decode, encode, encode_differing
from runyard.errors import ContractError


@dataclass(frozen=True, slots=True)
class Wheel:
    """A part that comes several times."""

    size: int
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Car:
    """A message with every kind of field."""

    name: str
    wheels: tuple[Wheel, ...] = ()
    pair: tuple[str, int] = ("", 0)
    prices: Mapping[str, float] = field(default_factory=dict)
    spares: Mapping[str, Wheel] = field(default_factory=dict)
    drive: Literal["front", "rear"] = "front"
    owner: Wheel | None = None


FULL = Car("a", (Wheel(1), Wheel(2, True)), ("x", 3), {"eur": 1.5}, {"left": Wheel(4)}, "rear", Wheel(5))


@pytest.mark.parametrize("message", [Car("a"), FULL])
def test_message_comes_back_as_it_was_written(message: Car) -> None:
    assert decode(Car, encode(message)) == message
    assert decode(Car, encode_differing(message)) == message


def test_text_is_canonical_and_whole_however_deep_a_message_lies() -> None:
    text = encode(FULL)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert json.loads(text)["wheels"] == [{"size": 1, "spare": False}, {"size": 2, "spare": True}]
    assert json.loads(text)["spares"] == {"left": {"size": 4, "spare": False}}
    assert encode_differing(FULL).count('"spare"') == 1


def test_what_is_no_message_is_not_written() -> None:
    with pytest.raises(TypeError):
        encode(object())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "decode Car: must be an object, got []"),
        ({}, "decode Car: field 'name' is missing"),
        ({"name": 1}, "decode Car.name: must be of type str, got 1"),
        ({"name": "a", "zeal": 1, "age": 2}, "decode Car: unknown field 'age'"),
        ({"name": "a", "wheels": {}}, "decode Car.wheels: must be a list, got {}"),
        ({"name": "a", "wheels": [{"size": 1}, {}]}, "decode Car.wheels[1]: field 'size' is missing"),
        ({"name": "a", "wheels": [{"size": True}]}, "decode Car.wheels[0].size: must be of type int, got True"),
        ({"name": "a", "wheels": [{"size": 1.0}]}, "decode Car.wheels[0].size: must be of type int, got 1.0"),
        ({"name": "a", "pair": ["x"]}, "decode Car.pair: must be a list of 2, got ['x']"),
        ({"name": "a", "pair": ["x", "y"]}, "decode Car.pair[1]: must be of type int, got 'y'"),
        ({"name": "a", "prices": []}, "decode Car.prices: must be an object, got []"),
        ({"name": "a", "prices": {"eur": 1}}, "decode Car.prices.eur: must be of type float, got 1"),
        ({"name": "a", "spares": {"left": None}}, "decode Car.spares.left: must be an object, got None"),
        ({"name": "a", "drive": "side"}, "decode Car.drive: must be one of front, rear, got 'side'"),
        ({"name": "a", "owner": 1}, "decode Car.owner: must be an object, got 1"),
        ({"name": None}, "decode Car.name: must be of type str, got None"),
    ],
)
def test_field_that_does_not_fit_is_named_with_its_rule_and_its_value(value: Any, said: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode(Car, json.dumps(value))
    assert str(caught.value) == said


@dataclass(frozen=True, slots=True)
class Bill:
    """A message about money."""

    total: Decimal
    parts: Mapping[str, Decimal] = field(default_factory=dict)


@pytest.mark.parametrize("amount", ["0.00", "-12.50", "0.000000000001", "123456789012345678901234"])
def test_decimal_travels_as_text_and_keeps_all_its_digits(amount: str) -> None:
    bill = Bill(Decimal(amount), {"a": Decimal(amount)})
    assert json.loads(encode(bill)) == {"total": amount, "parts": {"a": amount}}
    assert decode(Bill, encode(bill)) == bill


@pytest.mark.parametrize("value", [1.5, 1, True, None, "", "1e3", "NaN", " 1", "1.", ".5", "1" * 25])
def test_what_is_no_decimal_is_refused(value: object) -> None:
    with pytest.raises(ContractError) as raised:
        decode(Bill, json.dumps({"total": value}))
    assert str(raised.value) == f"decode Bill.total: must be a decimal number as text, got {value!r}"


@dataclass(frozen=True, slots=True)
class Keys:
    """A message with what nobody may see."""

    name: str
    key: str = field(default="", repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@pytest.mark.parametrize("text", ['{"key": ["canary"]}', '{"values": {"a": ["canary"]}}', '{"values": "canary"}'])
def test_secret_that_does_not_fit_is_not_shown(text: str) -> None:
    with pytest.raises(ContractError, match=r"does not fit, and is not shown: it is secret$") as caught:
        decode(Keys, '{"name": "a", ' + text[1:])
    assert "canary" not in str(caught.value)


# What the fuzzer found, the first of each kind.
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "not JSON: nested too deeply"),
        ('{"name": ' + "[" * 500 + "]" * 500 + "}", "Car.name: must be of type str, got [[[...]]]"),
        ('{"name": "a", "prices": {"eur": NaN}}', "not JSON: NaN is no number"),
        ('{"name": "a", "prices": {"eur": -Infinity}}', "not JSON: -Infinity is no number"),
        ('{"name": "a", "prices": {"eur": 1e999}}', "not JSON: 1e999 is too large a number"),
        ('{"name": "\\ud800"}', "not JSON: half of a surrogate pair is no text"),
        ('{"name": "a", "spares": {"\\udc00": 1}}', "not JSON: half of a surrogate pair is no text"),
        (b'{"name": "\xed\xa0\x80"}', "not JSON: 'utf-8' codec can't decode"),
        ('{"name": "a"}'.encode("utf-16"), "not JSON: 'utf-8' codec can't decode"),
    ],
)
def test_text_that_others_read_otherwise_or_cannot_write_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode(Car, text)
    assert str(caught.value).startswith(f"decode {'' if said.startswith('Car') else 'Car: '}{said}")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"name": ["x" * 9000]}),
        json.dumps({"name": int("9" * 4000)}),
        json.dumps({"x" * 9000: 1}),
        json.dumps({"name": "a", "spares": {"x" * 9000: 1}}),
        json.dumps({"name": "a", "spares": {"\x1b[2J\n": 1}}),
    ],
)
def test_error_is_one_short_line_whatever_comes(text: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode(Car, text)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_pair_of_surrogates_is_the_sign_that_it_stands_for() -> None:
    assert decode(Car, '{"name": "\\ud83d\\ude00"}') == Car("😀")
    assert decode(Car, '{"name": "\\\\ud800"}') == Car("\\ud800")

"""Plain scalars: the core types, and what YAML 1.1 and 1.2 read differently."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from runyard.manifest.scalars import AmbiguousScalar, Scalar, parse_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("+12", 12),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-0.25", -0.25),
        ("hello", "hello"),
        ("nullable", "nullable"),
        ("truely", "truely"),
        ("2026-11-23", "2026-11-23"),
        ("1.2.3", "1.2.3"),
        ("512Mi", "512Mi"),
        ("12:30 o'clock", "12:30 o'clock"),
        ("-", "-"),
        ("0xyz", "0xyz"),
    ],
)
def test_scalar_has_its_core_type(text: str, value: Scalar) -> None:
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


@pytest.mark.parametrize("text", ["y", "N", "yes", "No", "ON", "off"])
def test_scalar_that_was_a_boolean_is_ambiguous(text: str) -> None:
    with pytest.raises(AmbiguousScalar, match=r"^is a boolean to some readers of YAML and text to others$"):
        parse_scalar(text)


@pytest.mark.parametrize(
    "text",
    [
        "012",
        "-012",
        "08",
        "0o12",
        "0x1F",
        "0b101",
        "1_000",
        "1:30",
        "12:30:45",
        "1e3",
        "1.5E-3",
        "00.5",
        "1_0.5",
        "-.5",
        "+.0",
    ],
)
def test_scalar_that_is_two_numbers_is_ambiguous(text: str) -> None:
    with pytest.raises(AmbiguousScalar, match=r"^is a different number, or text, to different readers of YAML$"):
        parse_scalar(text)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", ".NaN"])
def test_scalar_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(AmbiguousScalar, match=r"^is not a finite number$"):
        parse_scalar(text)


def test_scalar_of_too_many_digits_is_refused_without_conversion() -> None:
    with pytest.raises(AmbiguousScalar, match=r"^is a number of more than 18 digits$"):
        parse_scalar("9" * 100_000)


@example("---")
@given(st.text(alphabet="0123456789+-._:eExXobBnNyYtTfFaAiIlLuUsSrR~", max_size=8))
def test_scalar_that_is_accepted_means_the_same_to_yaml_1_1(text: str) -> None:
    try:
        value = parse_scalar(text)
    except AmbiguousScalar:
        return
    try:
        # As the value of a key: a whole file of `---` is a document without a scalar.
        other = yaml.safe_load(f"key: {text}")["key"]
    except (yaml.YAMLError, ValueError):
        return
    # Dates stay text on purpose; a document that is not one plain scalar is none of ours.
    if isinstance(other, str | int | float | bool | None):
        assert other == value or (isinstance(other, str) and isinstance(value, str))

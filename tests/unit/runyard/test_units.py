"""Units: quantities and durations, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.units import (
    parse_amount,
    parse_bytes,
    parse_cpu_millis,
    parse_duration_s,
    parse_quantity,
    render_count,
    render_time,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("1", "1"),
        ("1.5", "1.5"),
        ("500m", "0.5"),
        ("2k", "2000"),
        ("1M", "1000000"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1Ti", "1099511627776"),
    ],
)
def test_quantity_is_exact(text: str, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", "1e308", "nan", "inf", "1 Gi", "1gi", "Gi", ".5", "1.", "1\n", "९"]
)
def test_quantity_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a quantity such as 500m, 2 or 512Mi, got "):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["1" * 16, "1." + "1" * 10])
def test_quantity_of_too_many_digits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(("text", "millis"), [("1", 1000), ("0.08", 80), ("250m", 250), ("8", 8000)])
def test_cpu_is_in_thousandths(text: str, millis: int) -> None:
    assert parse_cpu_millis(text) == millis


def test_cpu_finer_than_a_thousandth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^must be a multiple of a thousandth of a CPU, got '0.5m'$"):
        parse_cpu_millis("0.5m")


@pytest.mark.parametrize(("text", "size"), [("512Mi", 536870912), ("1G", 1000000000), ("0.5Ki", 512)])
def test_bytes_are_whole(text: str, size: int) -> None:
    assert parse_bytes(text) == size


def test_fraction_of_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^must be a multiple of a byte, got '1.5'$"):
        parse_bytes("1.5")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90", 90), ("60s", 60), ("5m", 300), ("1h", 3600)])
def test_duration_is_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "-1s", "1.5s", "1d", "1m30s", "1 s", "s", "1s\n"])
def test_duration_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a duration of whole seconds such as 60s, 5m or 1h, got "):
        parse_duration_s(text)


@given(st.integers(0, 10**12), st.sampled_from(["", "Ki", "Mi", "k", "M"]))
def test_bytes_of_whole_numbers_are_always_whole(number: int, suffix: str) -> None:
    factor = {"": 1, "Ki": 1024, "Mi": 1024**2, "k": 1000, "M": 1000**2}[suffix]
    assert parse_bytes(f"{number}{suffix}") == number * factor


@pytest.mark.parametrize(
    ("value", "amount"), [("12.50", "12.50"), (3, "3"), (0.000024, "0.000024"), (1e-12, "0.000000000001")]
)
def test_amount_is_exact(value: str | int | float, amount: str) -> None:
    assert parse_amount(value) == Decimal(amount)


@pytest.mark.parametrize(
    "value",
    ["", "-1", "1e3m", "1e308", 1e308, float("nan"), float("inf"), "NaN", True, -0.5, "1,5", "1234567890123", 1e-13],
)
def test_amount_that_is_none_is_refused(value: str | int | float) -> None:
    with pytest.raises(ValueError, match=r"must be an amount such as 12\.50 .*, got "):
        parse_amount(value)


@given(st.decimals(min_value=0, max_value=10**12 - 1, places=9))
def test_amount_survives_being_written(value: Decimal) -> None:
    assert parse_amount(format(value, "f")) == value


def test_counts_and_times_are_said_in_words() -> None:
    assert [render_count(count, "instance") for count in (0, 1, 2)] == ["0 instances", "1 instance", "2 instances"]
    assert render_time(1_795_442_400.9) == "2026-11-23 14:00:00Z"

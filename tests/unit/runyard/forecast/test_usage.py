"""Usage files: sizes, numbers over a size, and every problem with its place."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runyard.errors import ManifestError
from runyard.forecast import SIZES, Usage, Usages, parse_usages

KNOWN = ["shop/web", "shop/cart"]


def parse(text: str) -> Usages:
    return parse_usages("usage.yaml", text, KNOWN)


def told(text: str) -> list[str]:
    with pytest.raises(ManifestError) as raised:
        parse(text)
    return str(raised.value).splitlines()


def test_usage_of_a_service_is_its_own_else_the_default() -> None:
    usages = parse("default: large\nservices:\n  shop/web: medium\n")
    assert usages.of("shop/web") == SIZES["medium"]
    assert usages.of("shop/cart") == SIZES["large"]


def test_usage_is_small_where_nothing_is_said() -> None:
    assert parse("services: {}\n").of("shop/web") == SIZES["small"] == Usages().of("any/thing")


def test_numbers_stand_over_the_default_size() -> None:
    usages = parse("default: medium\nservices:\n  shop/web: {requests: 5, egressGib: '0.5'}\n")
    assert usages.of("shop/web") == Usage(Decimal(5), Decimal(200), Decimal("0.5"), Decimal(4), "usage file")


def test_numbers_that_were_metered_are_scaled_to_a_month_and_named_so() -> None:
    usages = parse("services:\n  shop/web: {meteredHours: 73, requests: 12, egressGib: '0.25', concurrency: 2}\n")
    assert usages.of("shop/web") == Usage(
        Decimal(120), Decimal(100), Decimal("2.5"), Decimal(2), "metered over 73 hours"
    )


def test_metered_numbers_must_be_all_there_and_of_some_time() -> None:
    assert told("services: {shop/web: {meteredHours: 0, requests: 1}}") == [
        'usage.yaml:1:22: services["shop/web"].egressGib: must be given with meteredHours',
        'usage.yaml:1:37: services["shop/web"].meteredHours: must be above 0, got 0',
    ]


def test_usage_file_tells_every_problem_with_its_place() -> None:
    text = """\
default: huge
services:
  shop/web: {requests: -1, requestMilliseconds: "1e3m", concurrency: 0}
  shop/cart: {request: 5}
"""
    amount = "must be an amount such as 12.50 with at most 12 digits before and after the point"
    assert told(text) == [
        'usage.yaml:1:10: default: must be small, medium, large or a mapping, got "huge"',
        f'usage.yaml:3:24: services["shop/web"].requests: {amount}, got -1',
        f"usage.yaml:3:49: services[\"shop/web\"].requestMilliseconds: {amount}, got '1e3m'",
        'usage.yaml:3:70: services["shop/web"].concurrency: must be at least 1, got 0',
        'usage.yaml:4:15: services["shop/cart"].request: unknown key (did you mean requests?)',
    ]


def test_usage_of_an_unknown_service_is_refused_with_the_closest() -> None:
    assert told("services: {shop/wep: small}") == [
        'usage.yaml:1:12: services["shop/wep"]: unknown service (did you mean shop/web?)'
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "usage.yaml:1:1: must be a mapping, got a list"),
        ("services: 5", "usage.yaml:1:11: services: must be a mapping, got 5"),
        ("", "usage.yaml:1:1: must hold one document, got 0"),
        ("default: small\n---\ndefault: large\n", "usage.yaml:1:1: must hold one document, got 2"),
        ("default: .nan", 'usage.yaml:1:10: default: is not a finite number, got ".nan" (quote it)'),
    ],
)
def test_file_of_another_form_is_refused(text: str, problem: str) -> None:
    assert problem in told(text)

"""PriceBook: its rules, raw data to typed data, and the book that ships with Runyard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

from runyard.manifest.model import Location
from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import Raw, mapping_at, mappings_at, text_at
from runyard.manifest.reader import read_documents
from runyard.manifest.tenant import check_amount
from runyard.pricing.prices import (
    DEFAULT_CURRENCY,
    DEFAULT_MINIMUM_CHARGE_MS,
    ZERO,
    FreeTier,
    PriceBook,
    PricePeriod,
    Rates,
)
from runyard.units import parse_amount

DEFAULT_BOOK = FilePath(__file__).with_suffix(".yaml")
_RATES = ("vcpuSecond", "gibSecond")
_AMOUNTS: tuple[tuple[str, ...], ...] = (
    *(("requestBased", use, rate) for use in ("active", "idle") for rate in _RATES),
    *(("instanceBased", rate) for rate in _RATES),
    ("millionRequests",),
    ("egressGib",),
    ("storageGibMonth",),
    *(("freeTier", kind, unit) for kind in ("requestBased", "instanceBased") for unit in ("vcpuSeconds", "gibSeconds")),
    ("freeTier", "requests"),
    ("freeTier", "egressGib"),
)
_WHOLE_PERCENT = 100


def check_pricebook(book: Raw, findings: Findings) -> None:
    """Check amounts, dates and discounts of a PriceBook."""
    for index, _ in mappings_at(book, "spec", "periods"):
        for path in _AMOUNTS:
            check_amount(book, ("spec", "periods", index, *path), findings)
    _check_periods(book, findings)
    seen: set[str] = set()
    for index, discount in mappings_at(book, "spec", "discounts"):
        place: Path = ("spec", "discounts", index)
        check_amount(book, (*place, "percent"), findings)
        _check_percent(discount, (*place, "percent"), findings)
        tenant = text_at(discount, "tenant")
        if tenant and tenant in seen:
            message = f"must be unique, got {render_value(tenant)} twice"
            findings.error((*place, "tenant"), "pricebook.discounts", message)
        seen.add(tenant)


def build_pricebook(book: Raw, location: Location | None) -> PriceBook:
    """Build a PriceBook from data without errors; its periods are in the order of time."""
    spec = book["spec"]
    return PriceBook(
        name=text_at(book, "metadata", "name") or "prices",
        periods=tuple(sorted((_period(each) for each in spec["periods"]), key=lambda each: each.start)),
        currency=spec.get("currency", DEFAULT_CURRENCY),
        minimum_charge_ms=int(spec.get("minimumChargeMilliseconds", DEFAULT_MINIMUM_CHARGE_MS)),
        discounts={each["tenant"]: parse_amount(each["percent"]) for each in spec.get("discounts", ())},
        location=location,
    )


@lru_cache(maxsize=1)
def default_book() -> PriceBook:
    """Give the book that ships with Runyard: Cloud Run's public list prices."""
    text = DEFAULT_BOOK.read_text(encoding="utf-8")
    document = next(read_documents(DEFAULT_BOOK.name, text, []))
    return build_pricebook(document.data, document.locate(()))


def _check_periods(book: Raw, findings: Findings) -> None:
    known: list[tuple[str, str, int]] = []
    for index, period in mappings_at(book, "spec", "periods"):
        dates = {key: _date(period, key, index, findings) for key in ("from", "until")}
        start, end = dates["from"], dates["until"]
        if start and end and end <= start:
            message = f"must be after from ({start}), got {end}"
            findings.error(("spec", "periods", index, "until"), "pricebook.period", message)
        elif start:
            known.append((start, end, index))
    for start, end, index in _overlapping(known):
        message = f"must not overlap another period ({start} to {end or 'no end'})"
        findings.error(("spec", "periods", index, "from"), "pricebook.overlap", message)


def _overlapping(periods: list[tuple[str, str, int]]) -> Iterator[tuple[str, str, int]]:
    """Give each period's index that begins before an earlier one has ended, with that one's dates."""
    latest: tuple[str, str, int] | None = None
    for period in sorted(periods):
        if latest is not None and (not latest[1] or period[0] < latest[1]):
            yield latest[0], latest[1], period[2]
        if latest is None or (latest[1] and (not period[1] or period[1] > latest[1])):
            latest = period


def _date(period: Raw, key: str, index: int, findings: Findings) -> str:
    text = text_at(period, key)
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        message = f"must be a day of the calendar such as 2026-01-31, got {render_value(text)}"
        findings.error(("spec", "periods", index, key), "pricebook.date", message)
        return ""


def _check_percent(discount: Raw, path: Path, findings: Findings) -> None:
    value: Any = discount.get("percent")
    try:
        too_much = parse_amount(value) > _WHOLE_PERCENT
    except ValueError:
        # Told already, as an amount or by the schema.
        return
    if too_much:
        findings.error(path, "pricebook.discounts", f"must be at most 100, got {render_value(value)}")


def _amount(data: Any, key: str) -> Decimal:
    return parse_amount(data[key]) if key in data else ZERO


def _rates(period: Raw, *keys: str) -> Rates:
    data = mapping_at(period, *keys)
    return Rates(_amount(data, "vcpuSecond"), _amount(data, "gibSecond"))


def _period(period: Raw) -> PricePeriod:
    free = mapping_at(period, "freeTier")
    by_request, by_instance = mapping_at(free, "requestBased"), mapping_at(free, "instanceBased")
    return PricePeriod(
        start=period["from"],
        end=period.get("until", ""),
        active=_rates(period, "requestBased", "active"),
        idle=_rates(period, "requestBased", "idle"),
        instance=_rates(period, "instanceBased"),
        million_requests=_amount(period, "millionRequests"),
        egress_gib=_amount(period, "egressGib"),
        storage_gib_month=_amount(period, "storageGibMonth"),
        free_tier=FreeTier(
            vcpu_seconds=_amount(by_request, "vcpuSeconds"),
            gib_seconds=_amount(by_request, "gibSeconds"),
            instance_vcpu_seconds=_amount(by_instance, "vcpuSeconds"),
            instance_gib_seconds=_amount(by_instance, "gibSeconds"),
            requests=_amount(free, "requests"),
            egress_gib=_amount(free, "egressGib"),
        ),
    )

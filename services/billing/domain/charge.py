"""Charges: what a tenant's usage of a month comes to, a line for each service, thing and set of prices; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import get_args

from runyard.contracts import DailyCost, InvoiceLine, Item, Quantity
from runyard.pricing.metering import Metered
from runyard.pricing.prices import PricePeriod
from runyard.pricing.rating import PARTS, ZERO, Amounts, Interval, Rated, cost, rate_month

ITEMS: tuple[Item, ...] = get_args(Item)
# What is shown of a quantity that no decimal has exactly; amounts of money are made of the exact one.
_PLACES = 6


@dataclass(frozen=True, slots=True)
class Term:
    """Prices that hold on some days of a month: `starts` <= day < `ends`; `id` is theirs in the ledger."""

    id: int
    starts: date
    ends: date
    period: PricePeriod


@dataclass(frozen=True, slots=True)
class Key:
    """What a line is about, whatever bill it stands in."""

    service: str
    prices_id: int
    item: Item


def charge(terms: Sequence[Term], used: Mapping[tuple[str, int], Metered], discount: Decimal) -> dict[Key, InvoiceLine]:
    """Rate what services used, by service and id of the term; lines are in the order of services, time and items.

    The discount is in percent. A line of which nothing was used is left out.
    """
    services = sorted({service for service, _ in used})
    in_time = sorted(terms, key=lambda each: each.starts)
    intervals = [
        Interval(term.period, [used.get((service, term.id), Metered()).amounts() for service in services])
        for term in in_time
    ]
    rated = dict(zip((term.id for term in in_time), rate_month(intervals, discount), strict=True))
    lines: dict[Key, InvoiceLine] = {}
    for at, service in enumerate(services):
        for term in in_time:
            for item in ITEMS:
                quantities = _quantities(rated[term.id][at], term.period, item)
                if quantities:
                    key = Key(service, term.id, item)
                    lines[key] = _line(len(lines) + 1, key, term, rated[term.id][at], quantities)
    return lines


def _line(position: int, key: Key, term: Term, rated: Rated, quantities: tuple[Quantity, ...]) -> InvoiceLine:
    days = term.starts.isoformat(), term.ends.isoformat()
    return InvoiceLine(position, key.service, key.item, *days, getattr(rated.lines, key.item), quantities)


def _quantities(rated: Rated, period: PricePeriod, item: Item) -> tuple[Quantity, ...]:
    found = []
    for part in PARTS[item]:
        used, due = (getattr(each, part.amount) / part.per for each in (rated.used, rated.due))
        if used:
            name = part.amount.partition("_")[0] if len(PARTS[item]) > 1 else item
            found.append(Quantity(name, part.unit, to_places(used), to_places(due), part.price(period)))
    return tuple(found)


def to_places(amount: Fraction) -> Decimal:
    """Give a number as a decimal to be shown, rounded to six places, half to even."""
    scaled = round(amount * 10**_PLACES)
    sign = "-" if scaled < 0 else ""
    return Decimal(f"{sign}{abs(scaled) // 10**_PLACES}.{abs(scaled) % 10**_PLACES:0{_PLACES}}")


def price_day(service: str, day: date, metered: Metered, period: PricePeriod) -> DailyCost:
    """Give what a service's use of a day costs at list prices, before free tier and discount."""
    amounts = metered.amounts()
    return DailyCost(service, day.isoformat(), to_places(list_price(amounts, period)))


def list_price(amounts: Amounts, period: PricePeriod) -> Fraction:
    """Give what amounts cost at list prices, exactly."""
    return sum((cost(amounts, period, item) for item in PARTS), Fraction(0))


def differences(before: Mapping[Key, Decimal], now: Mapping[Key, InvoiceLine]) -> dict[Key, Decimal]:
    """Give by how much each line is more now than it was charged so far, without those that are the same."""
    found = {key: now[key].amount - before.get(key, ZERO) for key in now}
    # What nobody used any more: usage is never taken away, but a correction may have been too much.
    found |= {key: -amount for key, amount in before.items() if key not in now}
    return {key: amount for key, amount in found.items() if amount}

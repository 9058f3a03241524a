"""Projection: what a month's usage will be if it goes on as it did; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from runyard.pricing.metering import Metered
from services.billing.domain.charge import Term
from services.billing.domain.month import midnight

# What less time than a day tells of a month is chance: a test of an hour would come to hundreds of them.
LEAST = timedelta(days=1)


def project(
    terms: Sequence[Term], days: Mapping[tuple[str, date], Metered], now: datetime
) -> dict[tuple[str, int], Metered]:
    """Give what services will have used at the month's end beyond what they have, by service and id of the term.

    The method: of each service the mean since midnight of the first day of the month on which the tenant used
    anything, over what is left of each term. Nothing in the first day of that.
    """
    if not days:
        return {}
    since = now - midnight(min(day for _, day in days))
    if since < LEAST:
        return {}
    totals: dict[str, Metered] = {}
    for (service, _), metered in days.items():
        totals[service] = totals.get(service, Metered()) + metered
    found = {}
    for term in terms:
        left = midnight(term.ends) - max(now.astimezone(UTC), midnight(term.starts))
        if left > timedelta():
            share = Fraction(left // timedelta(milliseconds=1), since // timedelta(milliseconds=1))
            found.update({(service, term.id): _part(metered, share) for service, metered in totals.items()})
    return found


def _part(metered: Metered, share: Fraction) -> Metered:
    return Metered(*(int(getattr(metered, each.name) * share) for each in fields(Metered)))

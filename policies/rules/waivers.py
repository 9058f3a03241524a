"""Rules of waivers themselves: each names a rule that can be waived, in the right form, and is still of use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from policies.rule import Check, Context, Rule, Violation, of_service
from policies.waiver import Waiver, last_day, parse_waivers


def check_form(context: Context) -> Iterator[Violation]:
    """Find waivers that are none."""
    for service in context.manifests.services:
        for waiver in parse_waivers(service):
            if isinstance(waiver, str):
                yield of_service(service, waiver)


def check_known(waivable: Callable[[], frozenset[str]]) -> Check:
    """Make the check for waivers of rules that do not exist or cannot be waived."""

    def check(context: Context) -> Iterator[Violation]:
        for service in context.manifests.services:
            for waiver in parse_waivers(service):
                if isinstance(waiver, Waiver) and waiver.rule not in waivable():
                    yield of_service(service, f"waiver must name a rule that a service can waive, got {waiver.rule}")

    return check


def check_expired(context: Context) -> Iterator[Violation]:
    """Find waivers whose day has passed; they count no longer."""
    for service in context.manifests.services:
        for waiver in parse_waivers(service):
            if isinstance(waiver, Waiver) and waiver.until < context.day:
                yield of_service(service, f"waiver of {waiver.rule} must not have expired, got {waiver.until}")


def check_short(context: Context) -> Iterator[Violation]:
    """Find waivers that would count for longer than a year; they do not count at all."""
    last = last_day(context.day)
    for service in context.manifests.services:
        for waiver in parse_waivers(service):
            if isinstance(waiver, Waiver) and waiver.until > last:
                yield of_service(service, f"waiver of {waiver.rule} must end by {last}, got {waiver.until}")


def make_rules(waivable: Callable[[], frozenset[str]]) -> tuple[Rule, ...]:
    """Make the rules, given the ids of all that can be waived."""
    return (
        Rule(
            "waiver-readable",
            "A waiver has its form and a day of the calendar.",
            "mandatory",
            "write `rule until 2027-01-31 because reason`",
            check_form,
            waivable=False,
        ),
        Rule(
            "waiver-of-known-rule",
            "A waiver names a rule that can be waived.",
            "mandatory",
            "see docs/policies.md for the names",
            check_known(waivable),
            waivable=False,
        ),
        Rule(
            "waiver-within-a-year",
            "A waiver lasts for a year at most.",
            "mandatory",
            "give it an earlier day, and look at it again then",
            check_short,
            waivable=False,
        ),
        Rule(
            "waiver-not-expired",
            "A waiver is removed when its day has passed.",
            "advisory",
            "mend what was waived and remove the waiver, or give it a new day",
            check_expired,
            waivable=False,
        ),
    )

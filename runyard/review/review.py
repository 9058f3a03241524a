"""Review: two sets of manifests compared in every respect that a reviewer asks about; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from policies.environment import Environment
from policies.rule import Context, Finding
from policies.verdict import Verdict, judge
from runyard.forecast import Costs, Usages, price
from runyard.forecast.report import render_basis
from runyard.manifest.model import Manifests
from runyard.manifest.pricebook import default_book
from runyard.manifest.problems import Problem
from runyard.names import service_key
from runyard.plan.quota import Headroom, headroom
from runyard.pricing.rating import ZERO
from runyard.pulumi.preview import Preview
from runyard.review.change import Change, find_changes
from runyard.review.load import LoadReview
from runyard.review.warning import find_new_warnings

State = Literal["new", "open", "waived", "fixed"]
CostKind = Literal["service", "tenant", "total"]
Totals = tuple[Decimal, Decimal, Decimal | None]
_TOTAL: tuple[CostKind, str] = ("total", "total")


@dataclass(frozen=True, slots=True)
class Terms:
    """On what a review rests: the ISO date of prices and waivers, the environment, and the expected usage."""

    day: str
    environment: Environment = "development"
    usages: Usages = field(default_factory=Usages)


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, and whether the change brought it, had it before, waives it or mends it."""

    state: State
    finding: Finding


@dataclass(frozen=True, slots=True)
class Room:
    """One quota of a tenant before and after; None where it is not set."""

    tenant: str
    resource: str
    before: Headroom | None
    after: Headroom | None


@dataclass(frozen=True, slots=True)
class CostChange:
    """Expected, lowest and highest monthly cost before and after; `name` is a tenant, a service or `total`.

    Each triple is floor, expected and ceiling; a ceiling of None has no limit, and `before` is None where it has no
    prices for the day.
    """

    kind: CostKind
    name: str
    before: Totals | None
    after: Totals

    @property
    def delta(self) -> Decimal | None:
        """Change of the expected cost; None if it is not known."""
        return None if self.before is None else self.after[1] - self.before[1]


@dataclass(frozen=True, slots=True)
class Review:
    """All of a review, in stable order."""

    before: str
    after: str
    terms: Terms
    changes: tuple[Change, ...]
    policy: tuple[Judged, ...]
    quotas: tuple[Room, ...]
    costs: tuple[CostChange, ...]
    # None where what was before has no prices for the day, which the change may be about to mend.
    costs_before: Costs | None
    costs_after: Costs
    # What Pulumi would do; None where no stack was asked.
    preview: Preview | None = None
    # What the change asks for and the platform does not carry out, or not in full.
    warnings: tuple[Problem, ...] = ()
    # What the load of last week does; None where no stack was asked.
    load: LoadReview | None = None

    @property
    def cost_basis(self) -> list[str]:
        """On what the costs rest, a sentence each."""
        basis = render_basis(self.costs_after, self.terms.usages)
        unknown = f"{self.before} has no prices for {self.terms.day}: what it cost is unknown."
        return basis if self.costs_before else [unknown, *basis]

    @property
    def refused(self) -> bool:
        """Whether a policy, quota or budget refuses what is after."""
        return any(each.state in ("new", "open") and each.finding.severity == "mandatory" for each in self.policy)


def review(
    before: Manifests,
    after: Manifests,
    names: tuple[str, str],
    terms: Terms,
    preview: Preview | None = None,
    warnings: tuple[Sequence[Problem], Sequence[Problem]] = ((), ()),
) -> Review:
    """Compare two sets of manifests; equal arguments give an equal review.

    `preview` is what Pulumi would do to a stack to bring it to `after`, `warnings` are what reading both sides gave.
    """
    verdicts = [judge(Context(each, terms.day, terms.environment, usages=terms.usages)) for each in (before, after)]
    book = before.price_book or default_book()
    costs_before = price(before, terms.day, terms.usages) if book.period(terms.day) else None
    costs_after = price(after, terms.day, terms.usages)
    return Review(
        before=names[0],
        after=names[1],
        terms=terms,
        changes=find_changes(before, after),
        policy=_compare_verdicts(*verdicts),
        quotas=_compare_rooms(before, after),
        costs=_compare_costs(costs_before, costs_after),
        costs_before=costs_before,
        costs_after=costs_after,
        preview=preview,
        warnings=find_new_warnings((before, warnings[0]), (after, warnings[1])),
    )


def _compare_verdicts(before: Verdict, after: Verdict) -> tuple[Judged, ...]:
    old = {_identity(finding) for finding in before.findings}
    now = {_identity(finding) for finding in (*after.findings, *after.waived)}
    found = [Judged("open" if _identity(each) in old else "new", each) for each in after.findings]
    found += [Judged("waived", each) for each in after.waived]
    found += [Judged("fixed", each) for each in before.findings if _identity(each) not in now]
    order = {"new": 0, "open": 1, "waived": 2, "fixed": 3}
    return tuple(sorted(found, key=lambda each: order[each.state]))


def _identity(finding: Finding) -> tuple[str, str, str, str]:
    """Give what makes two findings one; the line may move, and the sum of a quota may change."""
    message = "" if finding.rule in ("quota-kept", "budget-kept", "budget-cannot-be-passed") else finding.message
    if finding.rule == "quota-kept":
        message = finding.message.partition(" must ")[0]
    return finding.rule, finding.tenant, finding.service, message


def _compare_rooms(before: Manifests, after: Manifests) -> tuple[Room, ...]:
    old, new = ({(each.tenant, each.resource): each for each in headroom(side)} for side in (before, after))
    # The order of the quotas in the manifest's reference, which is that of each side.
    keys = sorted({**old, **new}, key=lambda key: key[0])
    return tuple(Room(*key, old.get(key), new.get(key)) for key in keys)


def _compare_costs(before: Costs | None, after: Costs) -> tuple[CostChange, ...]:
    new = _cost_rows(after)
    if before is None:
        return (*(CostChange(*key, None, new[key]) for key in sorted(new)), CostChange(*_TOTAL, None, after.totals))
    nothing = (ZERO, ZERO, ZERO)
    old = _cost_rows(before)
    rows = [CostChange(*key, old.get(key, nothing), new.get(key, nothing)) for key in sorted(old.keys() | new.keys())]
    return (*rows, CostChange(*_TOTAL, before.totals, after.totals))


def _cost_rows(costs: Costs) -> dict[tuple[CostKind, str], Totals]:
    rows: dict[tuple[CostKind, str], Totals] = {}
    for tenant in costs.tenants:
        rows["tenant", tenant.tenant] = tenant.totals
        for each in tenant.services:
            ceiling = each.ceiling.total if each.ceiling else None
            rows["service", service_key(each.tenant, each.service)] = (each.floor.total, each.expected.total, ceiling)
    return rows

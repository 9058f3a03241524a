"""Review: two sets of manifests compared in every respect that a reviewer asks about; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from policies.rule import Context, Environment, Finding
from policies.verdict import Verdict, judge
from runyard.manifest.model import Manifests
from runyard.names import service_key
from runyard.plan.quota import Headroom, headroom
from runyard.pricing import Costs, Usages, price
from runyard.review.change import Change, find_changes
from runyard.review.preview import Preview

State = Literal["new", "open", "waived", "fixed"]


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

    Each triple is floor, expected and ceiling; a ceiling of None has no limit.
    """

    kind: Literal["service", "tenant", "total"]
    name: str
    before: tuple[Decimal, Decimal, Decimal | None]
    after: tuple[Decimal, Decimal, Decimal | None]

    @property
    def delta(self) -> Decimal:
        """Change of the expected cost."""
        return self.after[1] - self.before[1]


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
    costs_before: Costs
    costs_after: Costs
    # What Pulumi would do; None where no stack was asked.
    preview: Preview | None = None

    @property
    def refused(self) -> bool:
        """Whether a policy, quota or budget refuses what is after."""
        return any(each.state in ("new", "open") and each.finding.severity == "mandatory" for each in self.policy)


def review(
    before: Manifests, after: Manifests, names: tuple[str, str], terms: Terms, preview: Preview | None = None
) -> Review:
    """Compare two sets of manifests; equal arguments give an equal review.

    `preview` is what Pulumi would do to a stack to bring it to `after`.
    """
    verdicts = [judge(Context(each, terms.day, terms.environment, usages=terms.usages)) for each in (before, after)]
    costs = [price(each, terms.day, terms.usages) for each in (before, after)]
    return Review(
        before=names[0],
        after=names[1],
        terms=terms,
        changes=find_changes(before, after),
        policy=_compare_verdicts(*verdicts),
        quotas=_compare_rooms(before, after),
        costs=_compare_costs(*costs),
        costs_before=costs[0],
        costs_after=costs[1],
        preview=preview,
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


def _compare_costs(before: Costs, after: Costs) -> tuple[CostChange, ...]:
    nothing = (Decimal("0.00"), Decimal("0.00"), Decimal("0.00"))
    old, new = _cost_rows(before), _cost_rows(after)
    rows = [CostChange(*key, old.get(key, nothing), new.get(key, nothing)) for key in sorted(old.keys() | new.keys())]
    return (*rows, CostChange("total", "total", before.totals, after.totals))


def _cost_rows(
    costs: Costs,
) -> dict[tuple[Literal["service", "tenant", "total"], str], tuple[Decimal, Decimal, Decimal | None]]:
    rows: dict[tuple[Literal["service", "tenant", "total"], str], tuple[Decimal, Decimal, Decimal | None]] = {}
    for tenant in costs.tenants:
        rows["tenant", tenant.tenant] = tenant.totals
        for each in tenant.services:
            ceiling = each.ceiling.total if each.ceiling else None
            rows["service", service_key(each.tenant, each.service)] = (each.floor.total, each.expected.total, ceiling)
    return rows

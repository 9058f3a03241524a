"""Views: what is shown of a service, made of what the registry and the ledger tell; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from services.console.adapters.ledger import Row
from services.console.api import shapes
from services.console.scope import ServiceView

# From what somebody should look at now to what nobody need look at.
URGENCY: Sequence[shapes.State] = ("failing", "degraded", "starting", "paused", "moving", "ready", "asleep")


def list_services(views: Sequence[ServiceView], costs: Sequence[Row] | None) -> list[shapes.Service]:
    """Show services, what is wrong first, then by name; `costs` are this month's rows, None where nobody tells."""
    by_service = _sums(costs or ())
    currency = next((str(each["currency"]) for each in costs or ()), "")
    shown = [_service(each, by_service, currency, told=costs is not None) for each in views]
    return sorted(shown, key=lambda each: (URGENCY.index(each.state), each.name))


def detail(view: ServiceView, month: Sequence[Row] | None, days: Sequence[Row]) -> shapes.ServiceDetail:
    """Show one service; `days` are rows of cost, of which those of the service are taken."""
    (service,) = list_services([view], month)
    shift = view.status.shift
    return shapes.ServiceDetail(
        service=service,
        revisions=_revisions(view),
        instances=[
            shapes.Instance(id=each.instance, revision=each.revision, state=each.state, reason=each.reason)
            for each in view.instances
        ],
        decisions=[
            shapes.Decision(
                at=datetime.fromtimestamp(each.at_unix_s, UTC),
                revision=each.revision,
                before=each.before,
                count=each.count,
                why=each.why,
                reason=each.reason,
            )
            for each in reversed(view.decisions)
        ],
        shift_remaining_s=shift.remaining_s if shift else None,
        costs=[
            shapes.CostOfDay(day=str(each["day"]), amount=str(each["amount"]))
            for each in days
            if each["service"] == view.status.service
        ],
    )


def state_of(view: ServiceView) -> shapes.State:
    """Say in one word how a service is, by the revisions that have traffic or are to have it."""
    if view.status.paused_until_unix_s:
        return "paused"
    named = {each.revision for each in (*view.status.traffic, *view.status.goal) if each.percent}
    serving = [each for each in view.revisions if each.revision in named]
    down = [each for each in serving if not each.ready and not each.asleep]
    if any(each.reason for each in down):
        return "failing"
    if down or not serving:
        return "starting"
    if any(each.ready < each.desired and each.reason for each in serving):
        return "degraded"
    if view.status.shift:
        return "moving"
    return "asleep" if all(each.asleep for each in serving) else "ready"


def _service(view: ServiceView, costs: Mapping[str, Decimal], currency: str, *, told: bool) -> shapes.Service:
    status = view.status
    return shapes.Service(
        name=status.service,
        state=state_of(view),
        reason=next((each.reason for each in view.revisions if each.reason and each.ready < max(each.desired, 1)), ""),
        hosts=list(status.hosts),
        traffic=[
            shapes.Share(revision=each.revision, percent=each.percent, tag=each.tag or "") for each in status.traffic
        ],
        desired=sum(each.desired for each in view.revisions),
        ready=sum(each.ready for each in view.revisions),
        cost=str(costs.get(status.service, Decimal(0))) if told else None,
        currency=currency,
    )


def _revisions(view: ServiceView) -> list[shapes.Revision]:
    known = {each.revision: each for each in view.revisions}
    now, goal = (
        {name: sum(each.percent for each in shares if each.revision == name) for name in {s.revision for s in shares}}
        for shares in (view.status.traffic, view.status.goal)
    )
    # New to old, and behind them what the history does not have.
    order = dict.fromkeys([*view.status.history, *known, *now, *goal])
    return [
        shapes.Revision(
            name=name,
            percent=now.get(name, 0),
            goal_percent=goal.get(name, 0),
            desired=known[name].desired if name in known else 0,
            ready=known[name].ready if name in known else 0,
            asleep=name in known and known[name].asleep,
            restarts=known[name].restarts if name in known else 0,
            reason=known[name].reason if name in known else "",
        )
        for name in order
    ]


def _sums(rows: Sequence[Row]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for each in rows:
        name = str(each["service"])
        found[name] = found.get(name, Decimal(0)) + Decimal(str(each["amount"]))
    return found

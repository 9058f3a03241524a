"""Tenant: what a member reads of one tenant; every operation has its Scope, and nothing else to read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from runyard.names import DNS_LABEL
from services.console.adapters.ledger import Row
from services.console.api import shapes, views
from services.console.api.problem import problems
from services.console.api.session import AskingFrom, Who
from services.console.refusal import SourceUnavailable
from services.console.scope import Right, Scope, Sources, enter

MOST_ENTRIES = 100
SHOWN_DAYS = 30
_LABEL = f"^{DNS_LABEL.pattern}$"
Tenant = Annotated[str, Path(pattern=_LABEL, description="A tenant of which one is a member.", examples=["shop"])]
Name = Annotated[str, Path(pattern=_LABEL, description="A service.", examples=["web"])]
Day = Annotated[date, Query(description="A day of UTC.", examples=["2026-11-01"])]


def entering(right: Right) -> Callable[..., Scope]:
    """Give what FastAPI calls for an operation's Scope; errors as in `enter`."""

    def scope(tenant: Tenant, who: Who, asking: AskingFrom, request: Request) -> Scope:
        sources: Sources = request.app.state.sources
        return enter(who, tenant, right, sources, asking.address)

    return scope


def make_router() -> APIRouter:
    """Make the operations."""
    router = APIRouter(prefix="/api/v1/tenants/{tenant}", tags=["tenant"])

    @router.get("/services", summary="List the services, what is wrong first.", responses=problems(400, 401, 404, 503))
    def list_services(scope: Annotated[Scope, Depends(entering("services"))]) -> shapes.ServiceList:
        found = scope.services()
        return shapes.ServiceList(services=views.list_services(found, _month(scope)), generation=scope.generation())

    @router.get(
        "/services/{service}", summary="Show one service: revisions, instances, why it scaled, and cost.",
        responses=problems(400, 401, 404, 503),
    )  # fmt: skip
    def get_service(scope: Annotated[Scope, Depends(entering("services"))], service: Name) -> shapes.ServiceDetail:
        today = _today()
        first, shown = today.replace(day=1), today - timedelta(days=SHOWN_DAYS - 1)
        rows = _costs(scope, (min(first, shown), today + timedelta(days=1)))
        month = None if rows is None else _since(first, rows)
        return views.detail(scope.service(service), month, _since(shown, rows or ()))

    @router.get("/usage", summary="What services had, by day.", responses=problems(400, 401, 403, 404, 503))
    def list_usage(
        scope: Annotated[Scope, Depends(entering("usage"))], start: Annotated[Day, Query(alias="from")], until: Day
    ) -> shapes.Usage:
        return shapes.Usage(rows=[dict(each) for each in scope.rows("usage", (start, until))])

    @router.get(
        "/statements/{month}", summary="What a month costs: its bills, or a draft.",
        responses=problems(400, 401, 403, 404, 503),
    )  # fmt: skip
    def get_statement(
        scope: Annotated[Scope, Depends(entering("invoices"))],
        month: Annotated[str, Path(pattern=r"^\d{4}-\d{2}$", description="A month.", examples=["2026-11"])],
    ) -> shapes.Statement:
        return shapes.Statement.model_validate(scope.statement(month))

    @router.get("/audit", summary="What was done and refused, from new to old.",
                responses=problems(400, 401, 403, 404, 503))  # fmt: skip
    def list_audit(
        scope: Annotated[Scope, Depends(entering("audit"))],
        before: Annotated[int | None, Query(ge=1, description="Go on below this number.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = MOST_ENTRIES,
    ) -> shapes.AuditPage:
        entries = [
            shapes.AuditEntry(
                number=each.number,
                at=each.at,
                email=each.email,
                action=each.action,
                outcome=each.outcome,
                detail=each.detail,
                address=each.address,
            )
            for each in scope.audit(before, limit)
        ]
        return shapes.AuditPage(entries=entries, next=entries[-1].number if len(entries) == limit else None)

    return router


def _today() -> date:
    return datetime.now(UTC).date()


def _month(scope: Scope) -> Sequence[Row] | None:
    today = _today()
    return _costs(scope, (today.replace(day=1), today + timedelta(days=1)))


def _since(day: date, rows: Sequence[Row]) -> Sequence[Row]:
    return [each for each in rows if str(each["day"]) >= day.isoformat()]


def _costs(scope: Scope, days: tuple[date, date]) -> Sequence[Row] | None:
    try:
        return scope.rows("cost", days)
    except SourceUnavailable:
        # What runs is shown whether the ledger answers or not.
        return None

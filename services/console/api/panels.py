"""Panels: metrics of a service, as a member reads them and the page draws them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from runyard.dashboards import PanelReading, Span
from services.console.api import shapes
from services.console.api.problem import problems
from services.console.api.tenant import Name, entering
from services.console.scope import Scope

# A day, as `runyard dash` shows.
MOST_MINUTES, SHOWN_MINUTES = 1440, 30


def make_router() -> APIRouter:
    """Make the operation."""
    router = APIRouter(prefix="/api/v1/tenants/{tenant}", tags=["tenant"])

    @router.get(
        "/services/{service}/panels", summary="Show metrics of one service over the last minutes.",
        responses=problems(400, 401, 404, 503),
    )  # fmt: skip
    def get_panels(
        scope: Annotated[Scope, Depends(entering("services"))],
        service: Name,
        minutes: Annotated[int, Query(ge=1, le=MOST_MINUTES, description="How far back.")] = SHOWN_MINUTES,
    ) -> shapes.Panels:
        return show_panels(scope.panels(service, minutes))

    return router


def show_panels(found: tuple[Span, Sequence[PanelReading]] | None) -> shapes.Panels:
    """Show what was read, or that nothing is kept to be read."""
    if found is None:
        return shapes.Panels(kept=False, start=datetime.fromtimestamp(0, UTC), step_s=0, panels=[])
    span, readings = found
    return shapes.Panels(
        kept=True,
        start=datetime.fromtimestamp(span.start_s, UTC),
        step_s=span.step_s,
        panels=[_panel(each) for each in readings],
    )


def _panel(found: PanelReading) -> shapes.Panel:
    panel = found.panel
    return shapes.Panel(
        id=panel.id,
        title=panel.title,
        about=panel.about,
        unit=panel.unit,
        kind=panel.kind,
        lines=[shapes.PanelLine(name=each.name, values=[*each.values]) for each in found.lines],
    )

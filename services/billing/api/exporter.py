"""Exporter: what anybody on the host may read: usage and cost as JSON and CSV, and metrics for a scraper."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, Query
from fastapi.responses import Response
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import Engine
from starlette.middleware.trustedhost import TrustedHostMiddleware

from runyard.names import DNS_LABEL
from services.billing.api.problem import answer_with_problems
from services.billing.reports import Range, cost_rows, usage_rows

# The names of the host's loopback: a browser that was told another name for it (DNS rebinding) sends that one.
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
# Rows of a page at most; a year of forty services is fifteen pages.
MOST_ROWS = 1000

_LABEL = f"^{DNS_LABEL.pattern}$"
Form = Literal["json", "csv"]
Day = Annotated[date, Query(description="A day of UTC, such as 2026-11-01.", examples=["2026-11-01"])]
Name = Annotated[str | None, Query(pattern=_LABEL, description="All of them by default.")]


def make_exporter(engine: Engine, registry: CollectorRegistry) -> FastAPI:
    """Make the application of one ledger; `registry` has the metrics."""
    app = FastAPI(
        title="Runyard billing",
        version="v1",
        description="What is read is answered on the loopback's port; what writes is on the control socket alone.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS)
    answer_with_problems(app)

    @app.get("/healthz", summary="Say that the process serves.")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", summary="Cost of the month and hour by tenant and service, and how far the ledger is behind.")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)  # type: ignore[no-untyped-call]

    _add_report(app, "usage", "What services had, by day, in the units of the prices.", lambda r: usage_rows(engine, r))
    _add_report(app, "cost", "What services cost, by day, at list prices.", lambda r: cost_rows(engine, r))
    return app


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows, and in which form."""

    form: Annotated[Form, Query(alias="format")] = "json"
    offset: Annotated[int, Query(ge=0, description="How many rows to pass over.")] = 0
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows to give.")] = MOST_ROWS


def _range(start: Annotated[Day, Query(alias="from")], until: Day, tenant: Name = None, service: Name = None) -> Range:
    return Range(start, until, tenant, service)


def _add_report(app: FastAPI, name: str, summary: str, rows: Callable[[Range], Sequence[Any]]) -> None:
    @app.get(f"/v1/{name}", name=name, summary=summary, response_class=Response)
    def report(
        asked: Annotated[Range, Depends(_range)],
        page: Annotated[Page, Depends()],
        if_none_match: Annotated[str, Header()] = "",
    ) -> Response:
        found = rows(asked)
        end = page.offset + page.limit
        plain = [dataclasses.asdict(each) for each in found[page.offset : end]]
        text, media = _csv(plain) if page.form == "csv" else _json(plain, len(found))
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag, "X-Total-Count": str(len(found)), "Cache-Control": "no-cache"}
        if end < len(found):
            headers["X-Next-Offset"] = str(end)
        if tag in (each.strip() for each in if_none_match.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(text, media_type=media, headers=headers)


def _json(rows: Sequence[dict[str, Any]], total: int) -> tuple[str, str]:
    # Amounts are text: a number of JSON is a float to most readers.
    return json.dumps({"total": total, "rows": rows}, default=str), "application/json"


def _csv(rows: Sequence[dict[str, Any]]) -> tuple[str, str]:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue(), "text/csv"

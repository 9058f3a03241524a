"""API: reading logs on a unix socket, a tenant at a time; health and metrics on the loopback's port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from runyard.contracts import LogPage, encode
from runyard.errors import HostError, RunyardError, UsageError
from runyard.loopback import METRICS_TYPE, Handler, only_local, problem
from runyard.names import DNS_LABEL
from services.logs.query import in_order, parse_query


class Answers(Protocol):
    """What is asked of the store."""

    async def ask(
        self, tenant: str, query: str, limit: int = ..., *, start: str = ..., end: str = ...
    ) -> list[dict[str, Any]]:
        """Give the records of a tenant that a query finds."""
        ...


def make_reading(store: Answers) -> web.Application:
    """Make the application that reads logs: whoever has its socket may read every tenant's, each by its name."""

    async def read(request: web.Request) -> web.StreamResponse:
        tenant = request.match_info["tenant"]
        if not DNS_LABEL.fullmatch(tenant):
            raise UsageError(f"log: tenant: must be a DNS label, got {tenant!r}")
        query = parse_query(request.match_info["service"], list(request.query.items()))
        found = await store.ask(tenant, query.logsql(), query.limit, start=query.since, end=query.until)
        return web.Response(text=encode(LogPage(tuple(in_order(found)))), content_type="application/json")

    app = web.Application(middlewares=[_told], client_max_size=1024)
    app.router.add_get("/v1/tenants/{tenant}/services/{service}/log", read)
    return app


def make_status(metrics: CollectorRegistry) -> web.Application:
    """Make the application that tells how the part is, and nothing of any log."""

    async def health(_: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})

    async def tell(_: web.Request) -> web.StreamResponse:
        return web.Response(body=generate_latest(metrics), headers={"Content-Type": METRICS_TYPE})

    app = web.Application(middlewares=[only_local], client_max_size=1024)
    app.router.add_get("/healthz", health)
    app.router.add_get("/metrics", tell)
    return app


_STATUSES: Mapping[type[RunyardError], tuple[int, str]] = {
    UsageError: (400, "question refused"),
    HostError: (502, "store failed"),
}


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RunyardError as error:
        status, title = next(
            (each for kind, each in _STATUSES.items() if isinstance(error, kind)), (500, "logs' part failed")
        )
        return problem(status, title, str(error))

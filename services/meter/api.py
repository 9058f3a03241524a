"""API: metrics for Prometheus and windows for the ledger, over HTTP on the loopback; nothing here changes anything."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.meter.spool import Spool

# Names of the loopback. A browser that was told another name for 127.0.0.1 (DNS rebinding) sends that one.
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SEQUENCE = re.compile(r"[0-9]{1,18}")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The answers; `gateway` gives what the gateway counts itself."""

    def __init__(self, metrics: CollectorRegistry, gateway: Callable[[], Awaitable[bytes]], spool: Spool) -> None:
        self._metrics, self._gateway, self._spool = metrics, gateway, spool
        self._up = Gauge("runyard_meter_gateway_up", "Whether the gateway tells its metrics.", registry=metrics)

    def app(self) -> web.Application:
        """Build the application."""
        app = web.Application(middlewares=[_only_local], client_max_size=1024)
        app.router.add_get("/healthz", self._get_health)
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_get("/v1/windows", self._get_windows)
        return app

    async def _get_health(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})

    async def _get_metrics(self, _: web.Request) -> web.StreamResponse:
        gateway = await self._gateway()
        self._up.set(bool(gateway))
        body = generate_latest(self._metrics) + gateway
        return web.Response(body=body, headers={"Content-Type": METRICS_TYPE})

    async def _get_windows(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after", "0")
        if not _SEQUENCE.fullmatch(after):
            return problem(400, "bad request", f"GET /v1/windows: after must be a sequence, got {json.dumps(after)}")
        return web.Response(text=self._spool.after(int(after)), content_type="application/json")


@web.middleware
async def _only_local(request: web.Request, handler: Handler) -> web.StreamResponse:
    name = re.sub(r":\d+$", "", request.host).lower()
    if name not in LOCAL_HOSTS:
        return problem(403, "forbidden", f"{request.method} {request.path}: Host must be of the loopback, got {name}")
    return await handler(request)


def problem(status: int, title: str, detail: str) -> web.Response:
    """Build a problem (RFC 9457)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.Response(text=json.dumps(body), status=status, content_type="application/problem+json")

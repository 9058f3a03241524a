"""API: metrics for Prometheus and windows for the ledger, over HTTP on the loopback; nothing here changes anything."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from runyard.loopback import METRICS_TYPE, only_local, problem
from services.meter.spool import Spool

_SEQUENCE = re.compile(r"[0-9]{1,18}")


class Api:
    """The answers; `gateway` gives what the gateway counts itself."""

    def __init__(self, metrics: CollectorRegistry, gateway: Callable[[], Awaitable[bytes]], spool: Spool) -> None:
        self._metrics, self._gateway, self._spool = metrics, gateway, spool
        self._up = Gauge("runyard_meter_gateway_up", "Whether the gateway tells its metrics.", registry=metrics)

    def app(self) -> web.Application:
        """Build the application."""
        app = web.Application(middlewares=[only_local], client_max_size=1024)
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

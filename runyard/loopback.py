"""Loopback: what each of the platform's HTTP servers in aiohttp has, which answer on the host's loopback address."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

# Names of the loopback. A browser that was told another name for 127.0.0.1 (DNS rebinding) sends that one.
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
# Of Prometheus' text format.
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def only_local(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 to whoever asks for another host than the loopback."""
    name = re.sub(r":\d+$", "", request.host).lower()
    if name not in LOCAL_HOSTS:
        return problem(403, "forbidden", f"{request.method} {request.path}: Host must be of the loopback, got {name}")
    return await handler(request)


def problem(status: int, title: str, detail: str) -> web.Response:
    """Build a problem (RFC 9457)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.Response(text=json.dumps(body), status=status, content_type="application/problem+json")

"""Control: the HTTP API on the unix socket, and its reading part on TCP; errors are problem+json."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from aiohttp import web

from runyard.contracts import (
    CertificateRequest,
    OrchestratorStatus,
    RollbackRequest,
    RolloutRequest,
    RouteRequest,
    decode,
    encode,
)
from runyard.errors import ContractError, DeadlineError, HostError, NotFound, RolloutError, RunyardError, UsageError
from services.orchestrator.journal import Journal
from services.orchestrator.orchestrator import Orchestrator
from services.orchestrator.tls import Tls

Kind = TypeVar("Kind", RollbackRequest, RolloutRequest, RouteRequest)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Requests are a few kilobytes; a thousand hosts still fit.
BODY_LIMIT = 256 * 1024
# First match wins, so the narrower kinds come first.
STATUSES: tuple[tuple[type[RunyardError], int, str], ...] = (
    (ContractError, 400, "request not understood"),
    (UsageError, 400, "request refused"),
    (RolloutError, 409, "rollout failed"),
    (NotFound, 404, "not found"),
    (DeadlineError, 504, "not done in time"),
    (HostError, 502, "container engine or gateway failed"),
    (RunyardError, 500, "orchestrator failed"),
)


class ControlApi:
    """Routes requests to the orchestrator and to its certificates."""

    def __init__(self, orchestrator: Orchestrator, journal: Journal, tls: Tls) -> None:
        self._orchestrator = orchestrator
        self._tls = tls
        self._journal = journal

    def control_app(self) -> web.Application:
        """Build the application of the unix socket: everything."""
        app = self._app()
        app.router.add_get("/v1/status", self._get_status)
        app.router.add_put("/v1/routes/{tenant}/{service}", self._put_route)
        app.router.add_delete("/v1/routes/{tenant}/{service}", self._delete_route)
        app.router.add_put("/v1/rollouts/{tenant}/{service}", self._put_rollout)
        app.router.add_delete("/v1/rollouts/{tenant}/{service}", self._delete_rollout)
        app.router.add_put("/v1/rollbacks/{tenant}/{service}", self._put_rollback)
        app.router.add_put("/v1/certificates/{name}", self._put_certificate)
        app.router.add_delete("/v1/certificates/{name}", self._delete_certificate)
        app.router.add_get("/v1/authority", self._get_authority)
        return app

    def reading_app(self) -> web.Application:
        """Build the application of the TCP port: what may be read by anybody on the machine."""
        app = self._app()
        app.router.add_get("/v1/status", self._get_public_status)
        return app

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._problems], client_max_size=BODY_LIMIT)
        app.router.add_get("/healthz", self._get_health)
        return app

    @web.middleware
    async def _problems(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RunyardError as error:
            status, title = next((status, title) for kind, status, title in STATUSES if isinstance(error, kind))
            self._journal.write("request failed", level="error", path=request.path, status=status, error=str(error))
            return problem(status, title, str(error), getattr(error, "logs", ()))
        except web.HTTPException as error:
            return problem(
                error.status, error.reason.lower(), f"{request.method} {request.path}: {error.reason.lower()}"
            )

    async def _put_route(self, request: web.Request) -> web.Response:
        await self._orchestrator.put_route(await _read(request, RouteRequest))
        await self._tls.certificates.cover()
        return _done()

    async def _delete_route(self, request: web.Request) -> web.Response:
        await self._orchestrator.delete_route(request.match_info["tenant"], request.match_info["service"])
        return _done()

    async def _put_rollout(self, request: web.Request) -> web.Response:
        await self._orchestrator.roll_out(await _read(request, RolloutRequest))
        # Its tags have hosts of their own.
        await self._tls.certificates.cover()
        return _done()

    async def _put_rollback(self, request: web.Request) -> web.Response:
        await self._orchestrator.roll_back(await _read(request, RollbackRequest))
        await self._tls.certificates.cover()
        return _done()

    async def _delete_rollout(self, request: web.Request) -> web.Response:
        await self._orchestrator.delete_service(request.match_info["tenant"], request.match_info["service"])
        return _done()

    async def _put_certificate(self, request: web.Request) -> web.Response:
        message = decode(CertificateRequest, await request.read())
        if message.name != request.match_info["name"]:
            raise UsageError(f"{request.method} {request.path}: body must be for it, got {message.name!r}")
        await self._tls.certificates.give(message)
        return _done()

    async def _delete_certificate(self, request: web.Request) -> web.Response:
        await self._tls.certificates.take_back(request.match_info["name"])
        return _done()

    async def _get_authority(self, _: web.Request) -> web.Response:
        return web.Response(text=self._tls.authority(), content_type="application/x-pem-file")

    def _status(self) -> OrchestratorStatus:
        return replace(self._orchestrator.status(), certificates=self._tls.certificates.status())

    async def _get_status(self, _: web.Request) -> web.Response:
        return web.Response(text=encode(self._status()), content_type="application/json")

    async def _get_public_status(self, _: web.Request) -> web.Response:
        # What instances log is their tenant's, and may hold anything; the unix socket's readers get it.
        status = self._status()
        revisions = tuple(replace(each, logs=()) for each in status.revisions)
        return web.Response(text=encode(replace(status, revisions=revisions)), content_type="application/json")

    async def _get_health(self, _: web.Request) -> web.Response:
        healthy = self._orchestrator.healthy
        return web.json_response({"status": "ok" if healthy else "degraded"}, status=200 if healthy else 503)


async def _read(request: web.Request, kind: type[Kind]) -> Kind:
    message = decode(kind, await request.read())
    named = (request.match_info["tenant"], request.match_info["service"])
    if (message.tenant, message.service) != named:
        path, body = "/".join(named), f"{message.tenant}/{message.service}"
        raise UsageError(f"{request.method} {request.path}: body must be for {path}, got {body}")
    return message


def _done() -> web.Response:
    return web.json_response({"status": "done"})


def problem(status: int, title: str, detail: str, logs: tuple[str, ...] = ()) -> web.Response:
    """Build a problem+json answer (RFC 9457); `logs` are the last lines of the instance to blame."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "logs": list(logs)}
    return web.Response(text=json.dumps(body), status=status, content_type="application/problem+json")

"""Control: the HTTP API on the unix socket, and its reading part on TCP; errors are problem+json."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from runyard.contracts import (
    CertificateRequest,
    OrchestratorStatus,
    RollbackRequest,
    ServiceRequest,
    decode,
    encode,
)
from runyard.errors import ContractError, DeadlineError, HostError, NotFound, RolloutError, RunyardError, UsageError
from services.orchestrator.control.orchestrator import Orchestrator
from services.orchestrator.journal import Journal
from services.orchestrator.store.claim import ClaimStore
from services.orchestrator.tls.tls import Tls

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Most requests are a few kilobytes.
BODY_LIMIT = 256 * 1024
# A service comes with all its documents, and with its secrets' values: certificates, whole configuration files.
SERVICE_LIMIT = 8 * 1024 * 1024
CLAIM_LIMIT = 1024 * 1024
_WHOLE = re.compile(r"[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
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
    """Routes requests to the orchestrator, to its certificates and to its claim."""

    def __init__(self, orchestrator: Orchestrator, journal: Journal, tls: Tls, claim: ClaimStore) -> None:
        self._orchestrator = orchestrator
        self._tls = tls
        self._claim = claim
        self._journal = journal

    def control_app(self) -> web.Application:
        """Build the application of the unix socket: everything."""
        app = self._app()
        app.router.add_get("/v1/status", self._get_status)
        app.router.add_put("/v1/services/{tenant}/{service}", self._put_service)
        app.router.add_delete("/v1/services/{tenant}/{service}", self._delete_service)
        app.router.add_get("/v1/rollouts", self._get_outcomes)
        app.router.add_get("/v1/holdings", self._get_holdings)
        app.router.add_put("/v1/claim", self._put_claim)
        app.router.add_get("/v1/claim", self._get_claim)
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
        app = web.Application(middlewares=[self._problems], client_max_size=SERVICE_LIMIT)
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

    async def _put_service(self, request: web.Request) -> web.Response:
        message = _decode_service(await _body(request, SERVICE_LIMIT))
        for part in (message.route, message.rollout):
            _check_subject(request, part.tenant, part.service)
        return _answer(encode(self._orchestrator.put_service(message)), 202)

    async def _delete_service(self, request: web.Request) -> web.Response:
        await self._orchestrator.delete_service(request.match_info["tenant"], request.match_info["service"])
        return _done()

    async def _get_outcomes(self, request: web.Request) -> web.Response:
        after, wait_s = _number(request, "after", _WHOLE), _number(request, "wait", _SECONDS)
        return _answer(encode(await self._orchestrator.outcomes(int(after), wait_s)))

    async def _get_holdings(self, _: web.Request) -> web.Response:
        held = self._orchestrator.holdings()
        return _answer(encode(replace(held, certificates=self._tls.certificates.given(), claim=self._claim.digest)))

    async def _put_claim(self, request: web.Request) -> web.Response:
        body = await _body(request, CLAIM_LIMIT)
        try:
            self._claim.put(body.decode())
        except UnicodeDecodeError:
            raise UsageError("claim: must be UTF-8") from None
        return _done()

    async def _get_claim(self, _: web.Request) -> web.Response:
        return _answer(self._claim.get())

    async def _put_rollback(self, request: web.Request) -> web.Response:
        message = decode(RollbackRequest, await _body(request))
        _check_subject(request, message.tenant, message.service)
        await self._orchestrator.roll_back(message)
        return _done()

    async def _put_certificate(self, request: web.Request) -> web.Response:
        message = decode(CertificateRequest, await _body(request))
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
        return _answer(encode(self._status()))

    async def _get_public_status(self, _: web.Request) -> web.Response:
        # What instances log is their tenant's, and may hold anything; the unix socket's readers get it.
        status = self._status()
        revisions = tuple(replace(each, logs=()) for each in status.revisions)
        return _answer(encode(replace(status, revisions=revisions)))

    async def _get_health(self, _: web.Request) -> web.Response:
        healthy = self._orchestrator.healthy
        return web.json_response({"status": "ok" if healthy else "degraded"}, status=200 if healthy else 503)


async def _body(request: web.Request, limit: int = BODY_LIMIT) -> bytes:
    # The application's own limit is that of the largest message.
    if (request.content_length or 0) > limit or len(body := await request.read()) > limit:
        raise web.HTTPRequestEntityTooLarge(limit, request.content_length or limit + 1)
    return body


def _decode_service(body: bytes) -> ServiceRequest:
    try:
        return decode(ServiceRequest, body)
    except ContractError as error:
        # What does not fit is shown with its value, and these are secret.
        if ".values" in str(error):
            raise ContractError("decode ServiceRequest.values: must map digests to texts") from None
        raise


def _check_subject(request: web.Request, tenant: str, service: str) -> None:
    named = (request.match_info["tenant"], request.match_info["service"])
    if (tenant, service) != named:
        path, body = "/".join(named), f"{tenant}/{service}"
        raise UsageError(f"{request.method} {request.path}: body must be for {path}, got {body}")


def _number(request: web.Request, name: str, grammar: re.Pattern[str]) -> float:
    text = request.query.get(name, "0")
    if not grammar.fullmatch(text):
        raise UsageError(f"{request.method} {request.path}: {name} must be a number from 0, got {text!r}")
    return float(text)


def _answer(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json")


def _done() -> web.Response:
    return web.json_response({"status": "done"})


def problem(status: int, title: str, detail: str, logs: tuple[str, ...] = ()) -> web.Response:
    """Build a problem+json answer (RFC 9457); `logs` are the last lines of the instance to blame."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "logs": list(logs)}
    return web.Response(text=json.dumps(body), status=status, content_type="application/problem+json")

"""Control: the HTTP API on the unix socket, and its reading part on TCP; errors are problem+json."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from aiohttp import web
from aiohttp.typedefs import Middleware

from runyard.contracts import (
    CertificateRequest,
    DrainRequest,
    PauseRequest,
    RestartRequest,
    Restrictions,
    RollbackRequest,
    RunRequest,
    ScaleRequest,
    ServiceRequest,
    decode,
    encode,
)
from runyard.errors import RunyardError, UsageError
from runyard.journal import Journal
from services.orchestrator.api.listener import Handler
from services.orchestrator.api.openapi import describe
from services.orchestrator.api.operations import DESCRIPTION, OPERATIONS, RESTRICTING, Operation
from services.orchestrator.api.problem import problem, problem_of
from services.orchestrator.api.public import LOCAL_HOSTS, is_allowed
from services.orchestrator.api.reading import Readings, answer
from services.orchestrator.control.orchestrator import Orchestrator
from services.orchestrator.store.claim import ClaimStore
from services.orchestrator.tls.tls import Tls

# Most requests are a few kilobytes.
BODY_LIMIT = 256 * 1024
# A service comes with all its documents, and with its secrets' values: certificates, whole configuration files.
SERVICE_LIMIT = 8 * 1024 * 1024
CLAIM_LIMIT = 1024 * 1024
# The largest message comes over a relay's pipe in well under a second, from a busy machine in a few.
BODY_S = 30.0
_WHOLE = re.compile(r"[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


class ControlApi:
    """Routes requests to the orchestrator, its certificates and its claim; a body has `body_s` seconds to come."""

    def __init__(
        self, orchestrator: Orchestrator, journal: Journal, tls: Tls, claim: ClaimStore, *, body_s: float = BODY_S
    ) -> None:
        self._orchestrator = orchestrator
        self._tls = tls
        self._claim = claim
        self._journal = journal
        self._body_s = body_s

    def control_app(self) -> web.Application:
        """Build the application of the unix socket: everything."""
        return self._app(OPERATIONS, public=False)

    def registry_app(self) -> web.Application:
        """Build the application of the other parts' socket: what there is, with addresses and containers."""
        return self._app([each for each in OPERATIONS if each.public], public=False)

    def restricting_app(self) -> web.Application:
        """Build the application of the ledger's socket: what budgets restrict, and nothing else."""
        return self._app(RESTRICTING, public=False)

    def reading_app(self, hosts: Collection[str] = LOCAL_HOSTS) -> web.Application:
        """Build the application of the TCP port: what anybody on the machine may read, under these names of it."""
        app = self._app([each for each in OPERATIONS if each.public], public=True)
        app.middlewares.append(_only_from(hosts))
        return app

    def _app(self, operations: Collection[Operation], *, public: bool) -> web.Application:
        app = web.Application(middlewares=[self._problems], client_max_size=SERVICE_LIMIT)
        described = json.dumps(describe(operations))

        async def get_description(_: web.Request) -> web.StreamResponse:
            return answer(described)

        reading = Readings(self._orchestrator, self._tls, self._orchestrator.timing, public=public)
        handlers = {**reading.handlers(), **self._changing(), DESCRIPTION.name: get_description}
        for each in operations:
            app.router.add_route(each.method, each.path, handlers[each.name])
        return app

    def _changing(self) -> Mapping[str, Handler]:
        return {
            "putService": self._put_service,
            "deleteService": self._delete_service,
            "putRollback": self._put_rollback,
            "putOverride": self._put_override,
            "deleteOverride": self._delete_override,
            "putRestrictions": self._put_restrictions,
            "putPause": self._put_pause,
            "deletePause": self._delete_pause,
            "putRestart": self._put_restart,
            "putRun": self._put_run,
            "getRun": self._get_run,
            "deleteRun": self._delete_run,
            "putDrain": self._put_drain,
            "getOutcomes": self._get_outcomes,
            "getHoldings": self._get_holdings,
            "putClaim": self._put_claim,
            "getClaim": self._get_claim,
            "putCertificate": self._put_certificate,
            "deleteCertificate": self._delete_certificate,
            "getAuthority": self._get_authority,
        }

    async def _body(self, request: web.Request, limit: int = BODY_LIMIT) -> bytes:
        # The application's own limit is that of the largest message.
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
        try:
            async with asyncio.timeout(self._body_s):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        if len(body) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, len(body))
        return body

    @web.middleware
    async def _problems(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RunyardError as error:
            failed = problem_of(error)
            told = {"path": request.path, "status": failed.status, "error": str(error)}
            self._journal.write("request failed", level="error", **told)
            return failed
        except web.HTTPException as error:
            return problem(
                error.status, error.reason.lower(), f"{request.method} {request.path}: {error.reason.lower()}"
            )

    async def _put_service(self, request: web.Request) -> web.Response:
        message = decode(ServiceRequest, await self._body(request, SERVICE_LIMIT))
        for part in (message.route, message.rollout):
            _check_subject(request, part.tenant, part.service)
        return answer(encode(self._orchestrator.put_service(message)), 202)

    async def _delete_service(self, request: web.Request) -> web.Response:
        await self._orchestrator.delete_service(request.match_info["tenant"], request.match_info["service"])
        return _done()

    async def _get_outcomes(self, request: web.Request) -> web.Response:
        after, wait_s = _number(request, "after", _WHOLE), _number(request, "wait", _SECONDS)
        return answer(encode(await self._orchestrator.outcomes(int(after), wait_s)))

    async def _get_holdings(self, _: web.Request) -> web.Response:
        held = self._orchestrator.holdings()
        return answer(encode(replace(held, certificates=self._tls.certificates.given(), claim=self._claim.digest)))

    async def _put_claim(self, request: web.Request) -> web.Response:
        body = await self._body(request, CLAIM_LIMIT)
        try:
            self._claim.put(body.decode())
        except UnicodeDecodeError:
            raise UsageError("claim: must be UTF-8") from None
        return _done()

    async def _get_claim(self, _: web.Request) -> web.Response:
        return answer(self._claim.get())

    async def _put_rollback(self, request: web.Request) -> web.Response:
        message = decode(RollbackRequest, await self._body(request))
        _check_subject(request, message.tenant, message.service)
        await self._orchestrator.roll_back(message)
        return _done()

    async def _put_override(self, request: web.Request) -> web.Response:
        message = decode(ScaleRequest, await self._body(request))
        _check_subject(request, message.tenant, message.service)
        return answer(encode(self._orchestrator.scale(message)))

    async def _delete_override(self, request: web.Request) -> web.Response:
        self._orchestrator.end_scale(request.match_info["tenant"], request.match_info["service"])
        return _done()

    async def _put_restrictions(self, request: web.Request) -> web.Response:
        self._orchestrator.restrict(decode(Restrictions, await self._body(request)))
        return _done()

    async def _put_pause(self, request: web.Request) -> web.Response:
        message = decode(PauseRequest, await self._body(request))
        _check_subject(request, message.tenant, message.service)
        return answer(encode(self._orchestrator.pause(message)))

    async def _delete_pause(self, request: web.Request) -> web.Response:
        self._orchestrator.resume(request.match_info["tenant"], request.match_info["service"])
        return _done()

    async def _put_drain(self, request: web.Request) -> web.Response:
        message = decode(DrainRequest, await self._body(request))
        _check_subject(request, message.tenant, message.service)
        return answer(encode(self._orchestrator.drain(message)))

    async def _put_restart(self, request: web.Request) -> web.Response:
        message = decode(RestartRequest, await self._body(request))
        _check_subject(request, message.tenant, message.service)
        return answer(encode(self._orchestrator.restart(message)))

    async def _put_run(self, request: web.Request) -> web.Response:
        message = decode(RunRequest, await self._body(request))
        _check_subject(request, message.tenant, message.service)
        if message.run != request.match_info["run"]:
            raise UsageError(f"{request.method} {request.path}: body must be for it, got run {message.run!r}")
        return answer(encode(await self._orchestrator.runs.begin(message)), 202)

    async def _get_run(self, request: web.Request) -> web.Response:
        wait_s = _number(request, "wait", _SECONDS)
        return answer(encode(await self._orchestrator.runs.wait(*_run_of(request), wait_s)))

    async def _delete_run(self, request: web.Request) -> web.Response:
        await self._orchestrator.runs.end(*_run_of(request))
        return _done()

    async def _put_certificate(self, request: web.Request) -> web.Response:
        message = decode(CertificateRequest, await self._body(request))
        if message.name != request.match_info["name"]:
            raise UsageError(f"{request.method} {request.path}: body must be for it, got {message.name!r}")
        await self._tls.certificates.give(message)
        return _done()

    async def _delete_certificate(self, request: web.Request) -> web.Response:
        await self._tls.certificates.take_back(request.match_info["name"])
        return _done()

    async def _get_authority(self, _: web.Request) -> web.Response:
        return web.Response(text=self._tls.authority(), content_type="application/x-pem-file")


def _only_from(hosts: Collection[str]) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_allowed(request.host, hosts):
            return await handler(request)
        return problem(421, "misdirected request", f"Host: must be one of {', '.join(hosts)}, got {request.host!r}")

    return check


def _check_subject(request: web.Request, tenant: str, service: str) -> None:
    named = (request.match_info["tenant"], request.match_info["service"])
    if (tenant, service) != named:
        path, body = "/".join(named), f"{tenant}/{service}"
        raise UsageError(f"{request.method} {request.path}: body must be for {path}, got {body}")


def _run_of(request: web.Request) -> tuple[str, str, str]:
    return request.match_info["tenant"], request.match_info["service"], request.match_info["run"]


def _number(request: web.Request, name: str, grammar: re.Pattern[str]) -> float:
    text = request.query.get(name, "0")
    if not grammar.fullmatch(text):
        raise UsageError(f"{request.method} {request.path}: {name} must be a number from 0, got {text!r}")
    return float(text)


def _done() -> web.Response:
    return web.json_response({"status": "done"})

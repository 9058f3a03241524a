"""Problem: errors as problem+json (RFC 9457)."""

from __future__ import annotations

import json

from aiohttp import web

from runyard.errors import (
    ContractError,
    DeadlineError,
    HostError,
    NotFound,
    PolicyError,
    RolloutError,
    RunyardError,
    UsageError,
)

# First match wins, so the narrower kinds come first.
STATUSES: tuple[tuple[type[RunyardError], int, str], ...] = (
    (ContractError, 400, "request not understood"),
    (UsageError, 400, "request refused"),
    (RolloutError, 409, "rollout failed"),
    (NotFound, 404, "not found"),
    (PolicyError, 403, "a quota refuses it"),
    (DeadlineError, 504, "not done in time"),
    (HostError, 502, "container engine or gateway failed"),
    (RunyardError, 500, "orchestrator failed"),
)


def problem(status: int, title: str, detail: str, logs: tuple[str, ...] = ()) -> web.Response:
    """Build an answer; `logs` are the last lines of the instance to blame."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "logs": list(logs)}
    return web.Response(text=json.dumps(body), status=status, content_type="application/problem+json")


def problem_of(error: RunyardError) -> web.Response:
    """Build the answer to an error of ours."""
    status, title = next((status, title) for kind, status, title in STATUSES if isinstance(error, kind))
    return problem(status, title, str(error), getattr(error, "logs", ()))

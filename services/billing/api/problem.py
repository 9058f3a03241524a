"""Problem: errors as problem+json (RFC 9457)."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from runyard.errors import ContractError, NotFound, RunyardError, UsageError
from services.billing.adapters.database import LedgerError, LedgerUnavailable

MEDIA_TYPE = "application/problem+json"
# First match wins, so the narrower kinds come first.
STATUSES: tuple[tuple[type[RunyardError], int, str], ...] = (
    (ContractError, 400, "request not understood"),
    (UsageError, 400, "request refused"),
    (NotFound, 404, "not found"),
    (LedgerError, 409, "ledger refused"),
    (LedgerUnavailable, 503, "ledger not available"),
    (RunyardError, 500, "billing failed"),
)


def problem(status: int, title: str, detail: str) -> JSONResponse:
    """Build an answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type=MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Have an application answer errors of ours, of the framework and of what was asked as problems."""

    def ours(_: Request, error: Exception) -> JSONResponse:
        status, title = next((status, title) for kind, status, title in STATUSES if isinstance(error, kind))
        return problem(status, title, str(error))

    def framework(_: Request, error: Exception) -> JSONResponse:
        status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
        return problem(status, str(detail).lower(), str(detail))

    def asked(_: Request, error: Exception) -> JSONResponse:
        found = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(str(each) for each in found["loc"][1:])
        seen = f", got {found['input']!r}" if "input" in found else ""
        return problem(400, "request not understood", f"{where}: {str(found['msg']).lower()}{seen}")

    app.add_exception_handler(RunyardError, ours)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, asked)

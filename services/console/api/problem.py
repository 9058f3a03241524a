"""Problem: errors as problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from runyard.errors import RunyardError, UsageError
from services.console.refusal import Refusal, SourceUnavailable

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """Why a request was not carried out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "service x: …"}]
        }
    )
    type: str
    title: str
    status: int
    detail: str


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Build an answer."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type=MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that an operation answers with, for its document."""
    return {
        each: {
            "description": HTTPStatus(each).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for each in sorted(statuses)
    }


def answer_with_problems(app: FastAPI) -> None:
    """Have an application answer errors of ours, of the framework and of what was asked as problems."""

    def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)  # noqa: S101  it is registered for these
        retry = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
        return problem(error.status, str(error), retry)

    def ours(_: Request, error: Exception) -> JSONResponse:
        known = ((UsageError, 400), (SourceUnavailable, 503))
        return problem(next((status for kind, status in known if isinstance(error, kind)), 500), str(error))

    def framework(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, HTTPException):
            return problem(error.status_code, str(error.detail), dict(error.headers or {}))
        return problem(500, str(error))

    def asked(_: Request, error: Exception) -> JSONResponse:
        found = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
        # Never what was seen: it may be a password.
        where = ".".join(str(each) for each in found["loc"][1:]) or "body"
        return problem(400, f"{where}: {str(found['msg']).lower()}")

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RunyardError, ours)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, asked)

"""App: REST for members and their page, on the loopback's port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.trustedhost import TrustedHostMiddleware

from services.console.api import panels, session, tenant
from services.console.api.guard import Guard
from services.console.api.problem import Problem, answer_with_problems
from services.console.api.site import serve_site
from services.console.identity.accounts import Accounts
from services.console.scope import Sources

# The names of the host's loopback: a browser that was told another name for it (DNS rebinding) sends that one.
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]


def make_app(accounts: Accounts, sources: Sources, web: Path) -> FastAPI:
    """Make the application of one console; `web` is where its page lies."""
    app = FastAPI(
        title="Runyard console", version="v1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    app.state.accounts, app.state.sources = accounts, sources
    app.add_middleware(Guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS)
    answer_with_problems(app)

    @app.get("/healthz", summary="Say that the process serves.", tags=["health"], responses={
        200: {"content": {"application/json": {"example": {"status": "ok"}}}}
    })  # fmt: skip
    def health() -> dict[str, str]:
        return {"status": "ok"}

    app.include_router(session.make_router(accounts))
    app.include_router(tenant.make_router())
    app.include_router(panels.make_router())
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]
    serve_site(app, web)
    return app


def _describe(app: FastAPI) -> dict[str, Any]:
    """Make the document of the API: problems instead of the framework's own errors."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    return document

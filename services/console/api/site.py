"""Site: the page, as files that the image's build made; names with a hash are kept by browsers for ever."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOR_EVER = "public, max-age=31536000, immutable"


class _Hashed(StaticFiles):
    """Files whose names have their hash in them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file; 404 where there is none."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = FOR_EVER
        return response


def serve_site(app: FastAPI, web: Path) -> None:
    """Answer every path that is no file and not the API's with the page, which finds its way by itself."""
    app.mount("/assets", _Hashed(directory=web / "assets", check_dir=False))
    page = web / "index.html"

    @app.get("/{path:path}", include_in_schema=False)
    def get_page(path: str) -> Response:
        if path.startswith("api/") or not page.is_file():
            raise HTTPException(404, "not found")
        return FileResponse(page, headers={"Cache-Control": "no-cache"})

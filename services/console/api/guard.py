"""Guard: what every answer says to browsers, and that what changes anything comes from our own page or a program."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.api.problem import problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Scripts and everything else from here alone; styles may be inline, which Mantine sets its colours by.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Refuses cross-site changes with 403, and adds the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if scope["method"] not in SAFE and not is_same_origin(Headers(scope=scope), scope["scheme"]):
            refused = problem(403, "Origin: must be that of the console itself")
            await refused(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def is_same_origin(headers: Headers, scheme: str) -> bool:
    """Tell whether a request was made by a page of the host that it asks; a request without an origin was not."""
    parts = urlsplit(headers.get("origin", ""))
    return (parts.scheme, parts.netloc) == (scheme, headers.get("host", "")) and parts.netloc != ""

"""Session: registration by invitation, sign-in, and signing out here or everywhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Request, Response

from services.console.api import shapes
from services.console.api.problem import problems
from services.console.identity.accounts import SESSION_LIFE, Accounts, Asking, Opened, SignedIn
from services.console.refusal import Refusal

# Of this host alone, whatever its port: cookies know none.
SESSION_COOKIE, DEVICE_COOKIE = "runyard_console", "runyard_console_device"
DEVICE_LIFE_S = 180 * 24 * 3600
SessionCookie = Annotated[str, Cookie(alias=SESSION_COOKIE, include_in_schema=False)]


def asking_of(request: Request) -> Asking:
    """Tell where a request comes from."""
    return Asking(request.client.host if request.client else "", request.cookies.get(DEVICE_COOKIE, ""))


AskingFrom = Annotated[Asking, Depends(asking_of)]


def signed_in(request: Request, session: SessionCookie = "") -> SignedIn:
    """Give who is signed in; Refusal 401 where nobody is."""
    accounts: Accounts = request.app.state.accounts
    who = accounts.find(session)
    if who is None:
        raise Refusal(HTTPStatus.UNAUTHORIZED, "session: must be one that has begun and is not over")
    return who


Who = Annotated[SignedIn, Depends(signed_in)]


def make_router(accounts: Accounts) -> APIRouter:
    """Make the operations of one console."""
    router = APIRouter(prefix="/api/v1", tags=["session"])

    @router.post("/registrations", status_code=201, summary="Use an invitation, and sign in.",
                 responses=problems(400, 401, 403, 404, 429, 503))  # fmt: skip
    def register(body: shapes.Registration, request: Request, response: Response, asking: AskingFrom) -> shapes.Session:
        return _begin(accounts.register(body.invitation, body.password, asking), request, response)

    @router.post("/passwords", status_code=201, summary="Set a password by a reset, and sign in.",
                 responses=problems(400, 403, 404, 429, 503))  # fmt: skip
    def set_password(
        body: shapes.NewPassword, request: Request, response: Response, asking: AskingFrom
    ) -> shapes.Session:
        return _begin(accounts.set_password(body.reset, body.password, asking), request, response)

    @router.post("/session", status_code=201, summary="Sign in.", responses=problems(400, 401, 403, 429, 503))
    def sign_in(body: shapes.SignIn, request: Request, response: Response, asking: AskingFrom) -> shapes.Session:
        return _begin(accounts.sign_in(body.email, body.password, asking), request, response)

    @router.get("/session", summary="Tell who is signed in.", responses=problems(401, 503))
    def get_session(who: Who) -> shapes.Session:
        return _shown(who)

    @router.delete("/session", status_code=204, summary="Sign out here.", responses=problems(401, 403, 503))
    def sign_out(who: Who, response: Response, session: SessionCookie = "") -> None:
        accounts.sign_out(session)
        response.delete_cookie(SESSION_COOKIE)

    @router.delete("/sessions", status_code=204, summary="Sign out everywhere.", responses=problems(401, 403, 503))
    def sign_out_everywhere(who: Who, response: Response, asking: AskingFrom) -> None:
        accounts.sign_out_everywhere(who, asking)
        response.delete_cookie(SESSION_COOKIE)

    return router


def _begin(opened: Opened, request: Request, response: Response) -> shapes.Session:
    for name, value, life_s in (
        (SESSION_COOKIE, opened.session, int(SESSION_LIFE.total_seconds())),
        (DEVICE_COOKIE, opened.device, DEVICE_LIFE_S),
    ):
        response.set_cookie(
            name, value, max_age=life_s, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
    return _shown(opened.who)


def _shown(who: SignedIn) -> shapes.Session:
    return shapes.Session(
        email=who.user.email,
        tenants=[shapes.Member(tenant=each.tenant, role=each.role) for each in who.memberships],
    )

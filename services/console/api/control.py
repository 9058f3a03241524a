"""Control: what invites and resets passwords, on a unix socket that the host's administrator reaches."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, FastAPI

from services.console.adapters.users import Invitation, Membership, Role
from services.console.api.problem import answer_with_problems
from services.console.identity.accounts import Accounts


def make_control(accounts: Accounts, origin: str) -> FastAPI:
    """Make the application of one console, which browsers find at `origin`."""
    app = FastAPI(title="Runyard console, control", version="v1", docs_url=None, redoc_url=None, openapi_url=None)
    answer_with_problems(app)

    @app.post("/v1/invitations")
    def invite(
        email: Annotated[str, Body()], tenant: Annotated[str, Body()], role: Annotated[Role, Body()]
    ) -> dict[str, str]:
        token = accounts.invite(Invitation(email, Membership(tenant, role)))
        # Behind the sign, where no server and no log sees it.
        return {"link": f"{origin}/register#{token}"}

    @app.post("/v1/resets")
    def reset(email: Annotated[str, Body(embed=True)]) -> dict[str, str]:
        return {"link": f"{origin}/reset#{accounts.reset(email)}"}

    return app

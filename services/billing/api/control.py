"""Control: what writes, and what is a tenant's alone: on a unix socket that the host's administrator reaches."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated

from fastapi import Body, FastAPI
from fastapi.responses import Response

from runyard.codec import encode
from runyard.contracts import Verification
from runyard.errors import UsageError
from runyard.units import parse_amount
from services.billing.adapters.database import reading
from services.billing.adapters.journal import find_problems
from services.billing.adapters.verification import verify_bills
from services.billing.api.problem import answer_with_problems
from services.billing.budgeting import Budgeting
from services.billing.domain.month import parse_month
from services.billing.invoicing import Invoicing
from services.billing.reports import measures


def make_statements(invoicing: Invoicing) -> FastAPI:
    """Make the application of one ledger for parts that may know what tenants pay, and change nothing."""
    app = FastAPI(title="Runyard billing, control", version="v1", docs_url=None, redoc_url=None, openapi_url=None)
    answer_with_problems(app)

    @app.get("/v1/tenants/{tenant}/statements/{month}")
    def state(tenant: str, month: str) -> Response:
        return _message(encode(invoicing.state(tenant, parse_month(month))))

    return app


def make_control(invoicing: Invoicing, budgeting: Budgeting) -> FastAPI:
    """Make the application of one ledger for the administrator of its host."""
    app = make_statements(invoicing)

    @app.get("/v1/measures")
    def measure() -> Response:
        return _message(encode(measures(invoicing.engine, invoicing.now())))

    @app.get("/v1/budgets")
    def budgets() -> Response:
        return _message(encode(budgeting.state()))

    @app.post("/v1/tenants/{tenant}/invoices/{month}")
    def issue(tenant: str, month: str) -> Response:
        """Issue what is not said yet, and state the month as it is then."""
        invoicing.issue(tenant, parse_month(month))
        return _message(encode(invoicing.state(tenant, parse_month(month))))

    @app.get("/v1/verification")
    def verify(tenant: str | None = None, month: str | None = None) -> Response:
        with reading(invoicing.engine) as connection:
            bills = verify_bills(connection, tenant, parse_month(month) if month else None)
            return _message(encode(Verification(tuple(bills), tuple(find_problems(connection)))))

    @app.put("/v1/settlements/{key}")
    def settle(
        key: str, number: Annotated[int, Body()], kind: Annotated[str, Body()], amount: Annotated[str, Body()]
    ) -> Response:
        written = invoicing.settle(key, number, kind, _amount(amount))
        return _message(json.dumps({"written": written}))

    return app


def _message(text: str) -> Response:
    return Response(text, media_type="application/json")


def _amount(text: str) -> Decimal:
    try:
        return parse_amount(text)
    except ValueError as error:
        raise UsageError(f"amount: {error}") from None

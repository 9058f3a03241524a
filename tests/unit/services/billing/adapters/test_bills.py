"""Bills in the database: read back as they were written, each with what it was made of."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from runyard.errors import NotFound
from services.billing.adapters.bills import find_bills, find_owner, list_tenants
from services.billing.adapters.database import reading
from services.billing.invoicing import Invoicing, Issuer
from tests.unit.services.billing.world import OCTOBER, ask, at, minutes, set_prices, take

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def invoicing(engine: Engine, issuer: str = "acme") -> Invoicing:
    return Invoicing(engine, Issuer(issuer, Decimal("7.7")), lambda: NOW)


def test_bill_comes_back_as_it_was_issued(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    issued = invoicing(engine).issue("shop", OCTOBER)
    with reading(engine) as connection:
        (found,) = find_bills(connection, "shop", OCTOBER)
    assert found.invoice == issued
    assert [line for _, line in found.lines.values()] == list(found.invoice.lines)
    assert found.sources.usage_upto == 60


def test_bills_are_found_by_tenant_and_month_in_their_order(engine: Engine) -> None:
    set_prices(engine)
    take(
        engine, [*minutes(5), *minutes(5, at(1, month=11), container="c2"), *minutes(5, tenant="rival", container="c3")]
    )
    subject = invoicing(engine)
    for tenant, month in (("shop", OCTOBER.next), ("rival", OCTOBER), ("shop", OCTOBER)):
        subject.issue(tenant, month)
    with reading(engine) as connection:
        named = [(None, None), ("shop", None), (None, OCTOBER), ("shop", OCTOBER), ("nobody", None)]
        found = [[each.invoice.number for each in find_bills(connection, *each)] for each in named]
    assert found == [[1, 2, 3], [1, 3], [2, 3], [3], []]


def test_each_issuer_has_numbers_of_its_own(engine: Engine) -> None:
    set_prices(engine)
    take(engine, [*minutes(5), *minutes(5, tenant="rival", container="c3")])
    one, other = invoicing(engine).issue("shop", OCTOBER), invoicing(engine, "other").issue("rival", OCTOBER)
    assert one is not None
    assert other is not None
    assert [(each.issuer, each.number) for each in (one, other)] == [("acme", 1), ("other", 1)]
    assert ask(engine, "SELECT name, last_number FROM issuers ORDER BY name") == [("acme", 1), ("other", 1)]


def test_tenants_are_those_of_which_there_is_usage(engine: Engine) -> None:
    take(engine, [*minutes(1), *minutes(1, tenant="acme", container="c2")])
    with reading(engine) as connection:
        assert list_tenants(connection) == ["acme", "shop"]
        assert find_owner(connection, "acme").name == "acme"
        with pytest.raises(NotFound):
            find_owner(connection, "nobody")

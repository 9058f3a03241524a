"""Settings of the service: what its environment may say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runyard.codec import encode
from runyard.errors import ContractError, RunyardError, UsageError
from runyard.manifest.pricebook import default_book
from runyard.names import BILLING_DIRECTORY
from runyard.pricing.prices import PriceBook
from runyard.pricing.settings import BillingSettings
from services.billing.settings import parse_settings
from tests.unit.services.billing.world import BOOK

TOLD = BillingSettings("acme", BOOK, ("shop/web/web-2",))
GIVEN = {"RUNYARD_BILLING": encode(TOLD)}


def test_settings_have_defaults_for_all_but_what_manifests_say() -> None:
    settings = parse_settings(GIVEN)
    assert (settings.address, settings.meter) == (("127.0.0.1", 3002), ("127.0.0.1", 3005))
    assert settings.database == "postgresql+psycopg://billing@/billing?host=/var/lib/runyard/postgres"
    assert (settings.directory, settings.socket) == (Path(BILLING_DIRECTORY), Path(BILLING_DIRECTORY, "control.sock"))
    assert settings.billing == TOLD


def test_prices_travel_exactly() -> None:
    book = PriceBook("all", default_book().periods, discounts={"shop": Decimal("12.5")})
    told = encode(BillingSettings("acme", book))
    assert parse_settings({"RUNYARD_BILLING": told}).billing.prices == book


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_database_of_ones_own_is_taken_in_every_spelling(scheme: str) -> None:
    settings = parse_settings({**GIVEN, "DATABASE_URL": f"{scheme}://me:pass@db.example:5433/mine?sslmode=require"})
    assert settings.database == "postgresql+psycopg://me:pass@db.example:5433/mine?sslmode=require"


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"RUNYARD_HTTP_ADDRESS": "3002"}, UsageError, "RUNYARD_HTTP_ADDRESS: must be ADDRESS:PORT, got '3002'"),
        ({"RUNYARD_METER_ADDRESS": "x:9e4"}, UsageError, "RUNYARD_METER_ADDRESS: must be ADDRESS:PORT, got 'x:9e4'"),
        ({"RUNYARD_BILLING": "{}"}, ContractError, "decode BillingSettings: field 'issuer' is missing"),
        ({"DATABASE_URL": "mysql://root:secret@x"}, UsageError,
         "DATABASE_URL: must begin with postgresql://, got another scheme"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_without_a_password(
    given: dict[str, str], kind: type[RunyardError], said: str
) -> None:
    with pytest.raises(kind) as raised:
        parse_settings({**GIVEN, **given})
    assert str(raised.value) == said


def test_service_without_prices_does_not_begin() -> None:
    with pytest.raises(UsageError, match=r"^RUNYARD_BILLING: must be given"):
        parse_settings({})

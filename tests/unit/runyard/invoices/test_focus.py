"""FOCUS: rows whose columns and values are those of the specification, and whose costs are the bills'.

The validator of the FinOps Foundation wants a Python that the images do not have; with version 2.2.1 every rule that
applies was met by the first of these statements. What its rules hold of columns and values is held here by hand.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from runyard.contracts import InvoiceLine, Quantity, Statement
from runyard.invoices.focus import COLUMNS, render_focus
from tests.unit.runyard.invoices.example import ACTIVE, DRAFT, IDLE, INVOICE, NOTE, REQUESTS, statement

# Columns of the specification by the type of their values; those before the bar must never be empty.
DECIMALS = (
    "BilledCost ContractedCost EffectiveCost ListCost PricingCurrencyEffectiveCost | ConsumedQuantity "
    "ContractedUnitPrice ListUnitPrice PricingCurrencyContractedUnitPrice PricingCurrencyListUnitPrice PricingQuantity"
)
TIMES = "BillingPeriodEnd BillingPeriodStart ChargePeriodEnd ChargePeriodStart |"
TEXTS = (
    "BillingAccountId BillingAccountName BillingCurrency ChargeCategory ChargeDescription ChargeFrequency "
    "InvoiceIssuerName PricingCurrency ProviderName PublisherName ServiceCategory ServiceName ServiceSubcategory "
    "| ChargeClass CommitmentDiscountStatus ConsumedUnit InvoiceId PricingCategory PricingUnit ResourceId ResourceName "
    "ResourceType SkuId SkuMeter SkuPriceDetails SkuPriceId"
)
USAGE_HAS = (
    "ConsumedQuantity ConsumedUnit ContractedUnitPrice ListUnitPrice PricingCategory PricingQuantity PricingUnit SkuId "
    "SkuMeter SkuPriceId ResourceId ResourceName ResourceType"
)
STATEMENTS = [
    statement(INVOICE, NOTE),
    statement(DRAFT),
    statement(dataclasses.replace(DRAFT, lines=(), net=Decimal("0.00"), total=Decimal("0.00"))),
]


def rows(subject: Statement) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_focus(subject))))


def named(columns: str) -> set[str]:
    return set(columns.split()) - {"|"}


def test_columns_are_those_of_the_specification_in_its_order() -> None:
    assert set(COLUMNS) == named(DECIMALS) | named(TIMES) | named(TEXTS)
    assert list(COLUMNS) == sorted(COLUMNS)
    assert render_focus(STATEMENTS[2]) == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("subject", STATEMENTS[:2], ids=["issued", "draft"])
def test_values_are_of_their_columns_types(subject: Statement) -> None:
    for row in rows(subject):
        for columns in (DECIMALS, TIMES, TEXTS):
            assert all(row[each] for each in columns.partition("|")[0].split()), row
        assert all(re.fullmatch(r"-?\d+(\.\d+)?", row[each]) for each in named(DECIMALS) if row[each])
        assert all(datetime.fromisoformat(row[each]).tzinfo == UTC for each in named(TIMES))
        assert row["ChargePeriodStart"] >= row["BillingPeriodStart"]
        assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        if row["ChargeCategory"] == "Usage" and not row["ChargeClass"]:
            assert all(row[each] for each in USAGE_HAS.split())
            for kind in ("Contracted", "List"):
                product = Decimal(row[f"{kind}UnitPrice"]) * Decimal(row["PricingQuantity"])
                assert Decimal(row[f"{kind}Cost"]) == product
        else:
            assert not any(row[each] for each in USAGE_HAS.split()[:10])


def test_name_of_a_service_is_of_one_category() -> None:
    found = [(row["ServiceName"], row["ServiceCategory"], row["ServiceSubcategory"]) for row in rows(STATEMENTS[0])]
    assert len(set(found)) == len({name for name, _, _ in found}) > 1


def test_costs_add_up_to_each_bill_and_its_tax() -> None:
    found: dict[tuple[str, str, str], Decimal] = {}
    for row in rows(STATEMENTS[0]):
        key = (row["InvoiceId"], row["ChargeCategory"], row["ChargeClass"])
        found[key] = found.get(key, Decimal(0)) + Decimal(row["BilledCost"])
    assert found == {
        ("acme-7", "Usage", ""): INVOICE.net,
        ("acme-7", "Tax", ""): INVOICE.tax,
        ("acme-9", "Usage", "Correction"): NOTE.net,
        ("acme-9", "Tax", "Correction"): NOTE.tax,
    }


def test_line_is_divided_to_the_cent_over_its_quantities_with_the_rest_at_the_largest() -> None:
    # 24.00 and two of 0.00015 and 0.20 less an eighth; together 21.18, of which the small ones round to 0.00 and 0.18.
    line = InvoiceLine(1, "api", "cpu", "2026-10-01", "2026-11-01", Decimal("21.18"), (IDLE, ACTIVE, _half(REQUESTS)))
    found = rows(statement(dataclasses.replace(DRAFT, lines=(line,))))
    assert [row["BilledCost"] for row in found] == ["0.00", "21.00", "0.18"]
    assert [row["ContractedUnitPrice"] for row in found][1] == "0.000021000"
    assert {row["InvoiceId"] for row in found} == {""}


def _half(quantity: Quantity) -> Quantity:
    return dataclasses.replace(quantity, name="half")

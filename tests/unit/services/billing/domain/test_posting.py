"""Postings: every one balances, and says nothing about nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.errors import UsageError
from services.billing.domain.posting import Entry, post_bill, post_settlement

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CENTS = st.decimals(Decimal("-1e9"), Decimal("1e9"), places=2)


@given(net=CENTS, tax=CENTS)
def test_posting_of_a_bill_balances(net: Decimal, tax: Decimal) -> None:
    posting = post_bill("k", "invoice", NOW, net, tax)
    if posting is not None:
        assert sum(each.amount for each in posting.entries) == 0
        assert all(each.amount for each in posting.entries)


def test_bill_without_tax_has_two_entries_and_with_it_three() -> None:
    plain, taxed = (post_bill("k", "invoice", NOW, Decimal("1.00"), Decimal(tax)) for tax in ("0.00", "0.19"))
    assert plain is not None
    assert plain.entries == (Entry("receivable", Decimal("1.00")), Entry("revenue", Decimal("-1.00")))
    assert taxed is not None
    assert [each.account for each in taxed.entries] == ["receivable", "revenue", "tax"]


def test_bill_about_nothing_is_not_posted() -> None:
    assert post_bill("k", "invoice", NOW, Decimal("0.00"), Decimal("0.00")) is None


def test_credit_note_takes_back_what_is_owed() -> None:
    posting = post_bill("k", "credit_note", NOW, Decimal("-2.00"), Decimal("-0.38"))
    assert posting is not None
    assert posting.entries[0] == Entry("receivable", Decimal("-2.38"))


@pytest.mark.parametrize(("kind", "side"), [("payment", "cash"), ("write_off", "write_off")])
def test_settlement_balances_against_its_side(kind: str, side: str) -> None:
    posting = post_settlement("k", kind, NOW, Decimal("3.10"))  # type: ignore[arg-type]
    assert [(each.account, str(each.amount)) for each in posting.entries] == [("receivable", "-3.10"), (side, "3.10")]


@pytest.mark.parametrize("amount", ["0", "-0.01", "0.005"])
def test_settlement_of_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(UsageError, match=r"^amount: must be above 0 and of whole cents, got"):
        post_settlement("k", "payment", NOW, Decimal(amount))

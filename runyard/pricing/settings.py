"""Settings of billing: what the manifests tell the ledger, as one message."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.codec import VERSION
from runyard.pricing.prices import PriceBook


@dataclass(frozen=True, slots=True)
class BillingSettings:
    """Prices, and the revisions that are billed by instance, as `tenant/service/revision`; `issuer` writes invoices."""

    issuer: str
    prices: PriceBook
    by_instance: tuple[str, ...] = ()
    version: int = VERSION

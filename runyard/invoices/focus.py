"""FOCUS: a statement as rows of the FinOps Open Cost and Usage Specification 1.2, as CSV; equal ones give equal bytes.

A row for each quantity of a line, of which the costs add up to the bill to the cent, one for each line of a note, as a
correction, and one for each bill's tax. The billing account is the tenant, the resource its service. What there is none
of here has no column: regions, zones, reservations, sub accounts and tags; CommitmentDiscountStatus is empty, and there
because rules on quantities ask for it.
Source: https://focus.finops.org/focus-specification/v1-2/
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from runyard.contracts import Invoice, InvoiceLine, Item, Quantity, Statement

# In the order of the specification.
COLUMNS = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountStatus", "ConsumedQuantity", "ConsumedUnit"),
    *("ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost"),
    *("ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice"),
    *("PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit"),
    *("ProviderName", "PublisherName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory"),
    *("ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId"),
)
_COMPUTE = ("Compute", "Serverless Compute")
_CATEGORIES: Mapping[Item, tuple[str, str]] = {
    "cpu": _COMPUTE,
    "memory": _COMPUTE,
    "requests": _COMPUTE,
    "egress": ("Networking", "Other (Networking)"),
    "storage": ("Storage", "Block Storage"),
}
_CENT = Decimal("0.01")
# The specification's units are singular words with a capital, and a hyphen before the time.
_UNITS: Mapping[str, str] = {
    "vCPU-seconds": "vCPU-Seconds",
    "GiB-seconds": "GiB-Seconds",
    "million requests": "1000000 Requests",
    "GiB": "GiB",
    "GiB-months": "GiB-Months",
}

Row = dict[str, str]


def render_focus(statement: Statement) -> str:
    """Render all bills of a month, or its draft, whose rows have no InvoiceId."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for bill in statement.bills:
        writer.writerows(_rows(bill))
    return text.getvalue()


def _rows(bill: Invoice) -> Iterator[Row]:
    for line in bill.lines:
        of_line = {**_of_bill(bill), **_of_line(bill, line)}
        if bill.corrects:
            yield {**of_line, "ChargeClass": "Correction", **_costs(line.amount, line.amount, line.amount)}
        else:
            yield from ({**of_line, **each} for each in _usages(bill, line))
    if bill.tax:
        tax = {"ChargeCategory": "Tax", "ChargeDescription": f"Tax of {bill.tax_percent.normalize():f} %"}
        correction = {"ChargeClass": "Correction"} if bill.corrects else {}
        other = {"ServiceCategory": "Other", "ServiceName": "Runyard Tax", "ServiceSubcategory": "Other (Other)"}
        yield {**_of_bill(bill), **tax, **correction, **other, **_costs(bill.tax, bill.tax, bill.tax)}


def _of_bill(bill: Invoice) -> Row:
    starts = date.fromisoformat(f"{bill.month}-01")
    ends = date(starts.year + starts.month // 12, starts.month % 12 + 1, 1)
    period = {"Start": _moment(starts.isoformat()), "End": _moment(ends.isoformat())}
    return {
        "BillingAccountId": bill.tenant,
        "BillingAccountName": bill.tenant,
        "BillingCurrency": bill.currency,
        **{f"BillingPeriod{name}": moment for name, moment in period.items()},
        **{f"ChargePeriod{name}": moment for name, moment in period.items()},
        "ChargeFrequency": "Usage-Based",
        "InvoiceId": f"{bill.issuer}-{bill.number}" if bill.number else "",
        "InvoiceIssuerName": bill.issuer,
        "PricingCurrency": bill.currency,
        "ProviderName": bill.issuer,
        "PublisherName": bill.issuer,
    }


def _of_line(bill: Invoice, line: InvoiceLine) -> Row:
    category, subcategory = _CATEGORIES[line.item]
    return {
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{line.item} of {line.service}",
        "ChargePeriodEnd": _moment(line.end),
        "ChargePeriodStart": _moment(line.start),
        "ResourceId": f"{bill.tenant}/{line.service}",
        "ResourceName": line.service,
        "ResourceType": "Service",
        "ServiceCategory": category,
        # A name is of one category.
        "ServiceName": f"Runyard {category}",
        "ServiceSubcategory": subcategory,
    }


def _usages(bill: Invoice, line: InvoiceLine) -> Iterator[Row]:
    share = 1 - bill.discount_percent / 100
    contracted = [each.due * each.price * share for each in line.quantities]
    billed = [each.quantize(_CENT, ROUND_HALF_EVEN) for each in contracted]
    # What each was rounded by is the largest one's, so that the rows are the line.
    largest = contracted.index(max(contracted))
    billed[largest] = line.amount - (sum(billed) - billed[largest])
    for quantity, cost, amount in zip(line.quantities, contracted, billed, strict=True):
        unit = _UNITS[quantity.unit]
        yield {
            **_costs(amount, cost, quantity.due * quantity.price),
            **_of_sku(line, quantity),
            "ConsumedQuantity": _plain(quantity.used),
            "ConsumedUnit": unit,
            "ContractedUnitPrice": _plain(quantity.price * share),
            "ListUnitPrice": _plain(quantity.price),
            "PricingCategory": "Standard",
            "PricingCurrencyContractedUnitPrice": _plain(quantity.price * share),
            "PricingCurrencyListUnitPrice": _plain(quantity.price),
            "PricingQuantity": _plain(quantity.due),
            "PricingUnit": unit,
        }


def _of_sku(line: InvoiceLine, quantity: Quantity) -> Row:
    # What is the item's only quantity has its name.
    sku = line.item if quantity.name == line.item else f"{line.item}-{quantity.name}"
    meter = line.item if quantity.name == line.item else f"{quantity.name} {line.item}"
    return {"SkuId": sku, "SkuMeter": meter.capitalize(), "SkuPriceId": f"{sku}-{line.start}"}


def _costs(billed: Decimal, contracted: Decimal, listed: Decimal) -> Row:
    cost = _plain(billed)
    return {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "PricingCurrencyEffectiveCost": cost,
        "ContractedCost": _plain(contracted),
        "ListCost": _plain(listed),
    }


def _moment(day: str) -> str:
    return f"{day}T00:00:00Z"


def _plain(number: Decimal) -> str:
    return format(number, "f")

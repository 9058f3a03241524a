"""Ledger of a stack, asked through the Docker API: its socket is in the container, which no port leads to."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from runyard import names
from runyard.codec import decode
from runyard.contracts import BudgetStatuses, Measure, Measures, Statement, Verification
from runyard.host.asking import Host, ask_part


class Ledger:
    """The billing part of one stack; NotFound where the stack has none, HostError where it fails."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
        self._absent = (
            f'stack {stack} has no ledger: `billing: "on"` in its Platform has it keep one (docs/manifest.md)'
        )
        self._container = names.platform_container(stack, names.ROLE_BILLING)

    def state(self, tenant: str, month: str) -> Statement:
        """Ask for all there is about a tenant's month; UsageError or NotFound say what does not fit."""
        return decode(Statement, self._ask("GET", _path("tenants", tenant, "statements", month)))

    def issue(self, tenant: str, month: str) -> Statement:
        """Have issued what is not said yet of a month that is over; errors as in `state`."""
        return decode(Statement, self._ask("POST", _path("tenants", tenant, "invoices", month)))

    def verify(self, tenant: str = "", month: str = "") -> Verification:
        """Have bills recomputed, of every tenant and month where none is given."""
        asked = {name: value for name, value in (("tenant", tenant), ("month", month)) if value}
        return decode(Verification, self._ask("GET", f"{_path('verification')}?{urlencode(asked)}"))

    def settle(self, key: str, number: int, kind: str, amount: str) -> bool:
        """Note under a key of the asker's that a bill was paid (`payment`) or given up (`write_off`).

        False where the key was used already, and nothing is noted; errors as in `state`.
        """
        body = json.dumps({"number": number, "kind": kind, "amount": amount})
        return bool(json.loads(self._ask("PUT", _path("settlements", key), body))["written"])

    def budgets(self) -> BudgetStatuses:
        """Ask how budgets with thresholds stand this month, of tenants that have usage."""
        return decode(BudgetStatuses, self._ask("GET", _path("budgets")))

    def measures(self) -> tuple[Measure, ...]:
        """Ask what services did in the last 28 days."""
        return decode(Measures, self._ask("GET", _path("measures"))).measures

    def _ask(self, method: str, target: str, *body: str) -> str:
        return ask_part(self._host, self._container, (*names.BILLING_ASK, method, target, *body), self._absent)


def _path(*parts: str) -> str:
    return "/".join(["/v1", *(quote(each, safe="") for each in parts)])

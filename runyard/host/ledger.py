"""Ledger of a stack, asked through the Docker API: its socket is in the container, which no port leads to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote, urlencode

from runyard import names
from runyard.codec import decode
from runyard.contracts import Statement, Verification
from runyard.errors import HostError, NotFound, RunyardError, UsageError

_ERRORS: dict[int, type[RunyardError]] = {400: UsageError, 404: NotFound}


class Host(Protocol):
    """As much of the engine as this needs."""

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside a running container and give its exit code and what it wrote."""
        ...


class Ledger:
    """The billing part of one stack; NotFound where the stack has none, HostError where it fails."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
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

    def _ask(self, method: str, target: str) -> str:
        code, output = self._host.execute(self._container, (*names.BILLING_ASK, method, target))
        if code == 0:
            return output
        raise _error_of(output)


def _path(*parts: str) -> str:
    return "/".join(["/v1", *(quote(each, safe="") for each in parts)])


def _error_of(output: str) -> RunyardError:
    """Make an error of a problem, or of whatever the container wrote instead of one."""
    try:
        problem = json.loads(output)
        return _ERRORS.get(int(problem["status"]), HostError)(str(problem["detail"]))
    except (ValueError, KeyError, TypeError):
        last = output.strip().splitlines()[-1:] or ["it wrote nothing"]
        return HostError(f"ask the ledger: {last[0]}")

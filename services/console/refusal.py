"""Refusals: what the console says no to, and what it cannot answer, each with the status of its answer."""

from __future__ import annotations

from http import HTTPStatus

from runyard.errors import RunyardError


class Refusal(RunyardError):
    """A request that is not carried out; `status` is that of the answer, `retry_after_s` of the header, 0 for none."""

    def __init__(self, status: HTTPStatus, detail: str, *, retry_after_s: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after_s = retry_after_s


class SourceUnavailable(RunyardError):
    """The registry, the ledger or the console's database does not answer, or not with what was asked for."""

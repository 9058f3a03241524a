"""Ledger: usage and cost from the loopback's port, and statements from the socket that only tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from urllib.parse import quote, urlencode

from services.console.adapters.http import Part
from services.console.refusal import Refusal, SourceUnavailable

Row = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger, read and never changed: `exporter` by the day, `statements` by the month."""

    exporter: Part
    statements: Part

    def rows(self, report: str, tenant: str, days: tuple[date, date]) -> Sequence[Row]:
        """Give the rows of `usage` or `cost` of a tenant, first day to the one after the last.

        Refusal says what does not fit; SourceUnavailable where the ledger does not answer.
        """
        rows: list[Row] = []
        while True:
            query = {"tenant": tenant, "from": str(days[0]), "until": str(days[1]), "offset": str(len(rows))}
            answer = json.loads(self._told(self.exporter, f"/v1/{report}?{urlencode(query)}"))
            rows += answer["rows"]
            if not answer["rows"] or len(rows) >= answer["total"]:
                return rows

    def statement(self, tenant: str, month: str) -> Mapping[str, object]:
        """Give what a tenant pays for a month (`2026-11`); errors as in `rows`."""
        path = f"/v1/tenants/{quote(tenant, safe='')}/statements/{quote(month, safe='')}"
        told: Mapping[str, object] = json.loads(self._told(self.statements, path))
        return told

    def _told(self, part: Part, target: str) -> bytes:
        status, body = part.ask(target)
        if status == HTTPStatus.OK:
            return body
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
            raise Refusal(HTTPStatus(status), str(json.loads(body)["detail"]))
        raise SourceUnavailable(f"ask the {part.name}: it answered {status}")

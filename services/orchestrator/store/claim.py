"""Claim: what the stack told the host's other stacks that it may use, kept for them to ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from runyard import files, names
from runyard.errors import NotFound, UsageError
from runyard.journal import Journal


class ClaimStore:
    """One claim, a JSON object of which its stack and its tenants' quotas are read here."""

    def __init__(self, directory: Path, stack: str, journal: Journal) -> None:
        self._file = directory / "claim.json"
        self._stack = stack
        try:
            self._text = self._file.read_text()
            self._check(self._text)
        except FileNotFoundError:
            self._text = ""
        except (OSError, ValueError, UsageError) as error:
            self._text = ""
            journal.write("claim corrupt", level="error", error=str(error))

    @property
    def digest(self) -> str:
        """Hash the claim; empty while there is none."""
        return names.digest(self._text) if self._text else ""

    def put(self, text: str) -> None:
        """Keep a claim; UsageError if it is none, or another stack's."""
        self._check(text)
        files.write(self._file, text)
        self._text = text

    def get(self) -> str:
        """Give the claim as it was put; NotFound while there is none."""
        if not self._text:
            raise NotFound("claim: this stack has none")
        return self._text

    def quotas(self, tenant: str) -> Mapping[str, int]:
        """Give the limits that the stack's manifests set for a tenant, by the quota's name; empty without any."""
        told = json.loads(self._text).get("quotas") if self._text else None
        limits = told.get(tenant) if isinstance(told, dict) else None
        found = limits if isinstance(limits, dict) else {}
        return {str(name): limit for name, limit in found.items() if isinstance(limit, int)}

    def _check(self, text: str) -> None:
        try:
            claim = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"claim: must be JSON: {error}") from None
        if not isinstance(claim, dict):
            raise UsageError("claim: must be a JSON object")
        if claim.get("stack") != self._stack:
            raise UsageError(f"claim: stack must be {self._stack}, got {claim.get('stack')!r}")

"""Findings: what one rule says of a host, and the report of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from runyard import table
from runyard.verify.host.holes import TABLE_DATE

SCHEMA_VERSION = 1
# kept is what the benchmark asks for and Runyard advises against, with the reason in `seen`; unknown could not be seen.
State = Literal["good", "advice", "kept", "unknown"]
# What is to be done first.
_ORDER: tuple[State, ...] = ("advice", "unknown", "kept", "good")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says: its `id` in the CIS Docker Benchmark (empty without one), and the command that mends it."""

    id: str
    title: str
    state: State
    seen: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Findings on a host; they advise, and none makes a command fail."""

    findings: Sequence[Finding]

    @property
    def ordered(self) -> list[Finding]:
        """The findings, those first that something is to be done about."""
        return sorted(self.findings, key=lambda each: _ORDER.index(each.state))

    def describe(self) -> dict[str, Any]:
        """Describe the report as plain data."""
        states = [each.state for each in self.findings]
        return {
            "schemaVersion": SCHEMA_VERSION,
            "summary": {state: states.count(state) for state in _ORDER},
            "holesKnownUntil": TABLE_DATE,
            "findings": [asdict(each) for each in self.ordered],
        }

    def render(self) -> str:
        """Render a line for each finding, and below it the command that mends it."""
        rows = table.render_columns([(each.state, each.id or "-", each.title) for each in self.ordered])
        lines = []
        for row, each in zip(rows, self.ordered, strict=True):
            lines.append(f"{row}: {each.seen}")
            lines += [f"  mend: {each.mend}"] if each.mend else []
        return "\n".join([*lines, self._summary()])

    def render_markdown(self) -> str:
        """Render a table with a row for each finding."""
        rows = [(each.state, each.id, each.title, each.seen, each.mend) for each in self.ordered]
        head = ("state", "id", "rule", "seen", "mend")
        return "\n".join([*table.render_markdown(head, rows), "", self._summary()])

    def _summary(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.describe()["summary"].items())
        return f"{counts}; holes are those known until {TABLE_DATE}"

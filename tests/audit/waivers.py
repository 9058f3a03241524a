"""Waivers: the one file that says which findings are accepted, why, and until when.

A waiver that is over, reaches too far or waives nothing any more is a finding itself.
"""

from __future__ import annotations

import datetime
import fnmatch
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path("tests", "audit", "waivers.toml")
# The one check whose waivers need no end: our code stays as it is until somebody changes it.
OWN_CODE = "own code"
# As for the waivers of policies: what is accepted is looked at again within a year.
LONGEST = datetime.timedelta(days=366)


class BadWaiver(Exception):
    """A waiver that is not of the form, or says no reason."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found: the check, the rule or advisory, the file or component, and how it is told."""

    check: str
    rule: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Waiver:
    """Accepts what a check finds by rules about subjects (`*` stands for anything)."""

    check: str
    rules: tuple[str, ...]
    subjects: tuple[str, ...]
    reason: str
    # What others publish moves on, so it is looked at again.
    until: datetime.date | None = None

    def covers(self, finding: Finding) -> bool:
        """Tell whether this finding is accepted."""
        if self.check != finding.check or finding.rule not in self.rules:
            return False
        return any(fnmatch.fnmatchcase(finding.subject, each) for each in self.subjects)

    def text(self) -> str:
        """Render as `rule, rule of subject, subject`."""
        return f"{', '.join(self.rules)} of {', '.join(self.subjects)}"


@dataclass(frozen=True, slots=True)
class Waivers:
    """All waivers, and what may be left unchecked in CI, by subject with its reason."""

    accepted: tuple[Waiver, ...] = ()
    unchecked: dict[str, str] = field(default_factory=dict)

    def split(self, findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
        """Give what is not accepted, and what is."""
        refused, waived = [], []
        for each in findings:
            (waived if any(waiver.covers(each) for waiver in self.accepted) else refused).append(each)
        return refused, waived

    def faults(self, findings: Collection[Finding], checked: Collection[str], today: datetime.date) -> list[str]:
        """Say which waivers are over, reach too far, or waive nothing of what was checked."""
        found = []
        for each in self.accepted:
            if each.until and each.until < today:
                found.append(f"waiver of {each.text()}: was until {each.until}")
            elif each.until and each.until > today + LONGEST:
                found.append(f"waiver of {each.text()}: must end within a year, got {each.until}")
            elif each.check in checked and each.check == OWN_CODE:
                # Which advisories a program has is the machine's affair too: with another Go there are others.
                used = {finding.rule for finding in findings if each.covers(finding)}
                found += [f"waiver of {rule}: waives nothing; remove it" for rule in each.rules if rule not in used]
        return found


def load_waivers(file: Path) -> Waivers:
    """Read waivers; BadWaiver says what one lacks."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadWaiver(f"read {file}: {error}") from None
    unchecked = content.pop("unchecked", {})
    if not all(isinstance(reason, str) and reason for reason in unchecked.values()):
        raise BadWaiver(f"{file}: unchecked: must give each subject a reason")
    accepted = [_waiver(file, check, each) for check, entries in content.items() for each in entries]
    return Waivers(tuple(accepted), unchecked)


def _waiver(file: Path, check: str, entry: dict[str, Any]) -> Waiver:
    allowed = {"rules", "subjects", "reason"} | (set() if check == OWN_CODE else {"until"})
    if set(entry) != allowed:
        raise BadWaiver(f"{file}: {check}: must have {', '.join(sorted(allowed))}, got {', '.join(sorted(entry))}")
    if not entry["reason"] or not entry["subjects"] or not entry["rules"]:
        raise BadWaiver(f"{file}: {check}: must name rules, subjects and a reason")
    if check != OWN_CODE and not isinstance(entry["until"], datetime.date):
        raise BadWaiver(f"{file}: {check}: until: must be a date, got {entry['until']!r}")
    return Waiver(check, tuple(entry["rules"]), tuple(entry["subjects"]), entry["reason"], entry.get("until"))

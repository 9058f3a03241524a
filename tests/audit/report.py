"""Report: what the checks came to, in lines, and the code that says it: nothing wrong is not the same as not looked."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from tests.audit.checks import Outcome
from tests.audit.waivers import Waivers

CLEAN, FOUND, NOT_CHECKED = 0, 1, 3
MARK = "NOT CHECKED"


@dataclass(frozen=True, slots=True)
class Report:
    """Lines to print, those of what was not checked, and the code to end with."""

    lines: tuple[str, ...]
    unchecked: tuple[str, ...]
    code: int


def render(outcomes: Sequence[Outcome], waivers: Waivers, today: datetime.date, *, tolerant: bool) -> Report:
    """Put outcomes together.

    A finding that is not waived is 1, a subject that was not checked 3. With `tolerant`, subjects that the waivers name
    may be left unchecked, and are told all the same.
    """
    lines, unchecked, bad = [], [], False
    for each in outcomes:
        if each.unchecked:
            unchecked.append(f"{MARK}: {each.subject}: {each.unchecked}")
            continue
        refused, waived = waivers.split(each.findings)
        bad = bad or bool(refused)
        told = f"{len(refused)} found" if refused else "nothing found"
        lines.append(f"audit: {each.subject}: {each.looked_at}: {told}" + (f", {len(waived)} waived" if waived else ""))
        lines += [f"  {finding.text}" for finding in refused]
    found = [finding for each in outcomes for finding in each.findings]
    faults = waivers.faults(found, {each.subject for each in outcomes if not each.unchecked}, today)
    lines += [f"audit: {each}" for each in (*faults, *unchecked)]
    excused = tolerant and all(each.subject in waivers.unchecked for each in outcomes if each.unchecked)
    code = FOUND if bad or faults else NOT_CHECKED if unchecked and not excused else CLEAN
    return Report(tuple(lines), tuple(unchecked), code)

"""Checks: each looks at one subject and ends well with what it looked at and found, or says why it could not look."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.audit import code, components, osv, programs
from tests.audit.waivers import OWN_CODE, Finding
from tests.unit.checkout import SOURCE_ROOTS

# Of which OSV knows an advisory, by ecosystem: who does not tell of them does not tell of others either.
KNOWN = {
    components.PYTHON: components.Component(components.PYTHON, "jinja2", "2.4.1"),
    components.NPM: components.Component(components.NPM, "lodash", "4.17.15"),
    "Debian:12": components.Component("Debian:12", "openssl", "3.0.9-1"),
}
PYTHON_PACKAGES, NPM_PACKAGES, DEBIAN_PACKAGES = "Python packages", "npm packages", "Debian packages"
NOT_CHECKED = (code.Unread, components.Unlisted, osv.Unanswered, programs.Unscanned)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the checks are told: where the checkout is, which day it is, whom to ask."""

    root: Path
    today: datetime.date
    osv: str = osv.ADDRESS
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was looked at, in words, and what was found; or why nothing was (`unchecked`)."""

    subject: str
    looked_at: str = ""
    findings: tuple[Finding, ...] = ()
    unchecked: str = ""


def check_own_code(settings: Settings) -> tuple[str, list[Finding]]:
    """Have bandit look at our own Python."""
    count, found = code.check_code(settings.root, SOURCE_ROOTS)
    return f"{count} files, by bandit", found


def check_go(settings: Settings) -> tuple[str, list[Finding]]:
    """Look for advisories of what is in the programs of Go."""
    return programs.check_programs(settings.root, settings.today, newest=settings.newest)


def check_python(settings: Settings) -> tuple[str, list[Finding]]:
    """Ask OSV about the locked Python packages."""
    return ask_osv(PYTHON_PACKAGES, components.list_python(settings.root), settings.osv)


def check_npm(settings: Settings) -> tuple[str, list[Finding]]:
    """Ask OSV about the locked npm packages."""
    return ask_osv(NPM_PACKAGES, components.list_npm(settings.root), settings.osv)


def check_debian(settings: Settings) -> tuple[str, list[Finding]]:
    """Ask OSV about the Debian packages of the images."""
    return ask_osv(DEBIAN_PACKAGES, components.list_debian(settings.root), settings.osv)


def ask_osv(check: str, listed: list[components.Component], address: str) -> tuple[str, list[Finding]]:
    """Ask OSV about components, and about some that have advisories; Unanswered when it does not know of those."""
    ecosystems = sorted({each.ecosystem for each in listed})
    if unknown := [each for each in ecosystems if each not in KNOWN]:
        raise osv.Unanswered(f"nothing is known of {unknown[0]} by which to tell that it was asked well")
    controls = [KNOWN[each] for each in ecosystems]
    found = osv.find_advisories([*listed, *controls], address)
    if silent := [each for each in controls if each not in {advisory.component for advisory in found}]:
        raise osv.Unanswered(f"ask {address}: must tell of an advisory of {silent[0].text()}, and did not")
    real = [each for each in found if each.component in listed]
    return f"{len(listed)} packages, by {address}", [
        Finding(check, each.id, each.component.name, each.text()) for each in real
    ]


CHECKS: dict[str, Callable[[Settings], tuple[str, list[Finding]]]] = {
    OWN_CODE: check_own_code,
    programs.GO_PROGRAMS: check_go,
    PYTHON_PACKAGES: check_python,
    NPM_PACKAGES: check_npm,
    DEBIAN_PACKAGES: check_debian,
}


def carry_out(subject: str, settings: Settings) -> Outcome:
    """Carry out one check."""
    try:
        looked_at, found = CHECKS[subject](settings)
    except NOT_CHECKED as error:
        return Outcome(subject, unchecked=" ".join(str(error).split()))
    return Outcome(subject, looked_at, tuple(found))

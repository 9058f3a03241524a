"""Usage that is expected of each service in a month: from a usage file, and sizes for what it leaves out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from runyard.errors import ManifestError
from runyard.location import Location
from runyard.manifest.problems import Findings, Path, Problem, ordered, render_value
from runyard.manifest.reader import read_documents
from runyard.manifest.schema import closest
from runyard.units import parse_amount


@dataclass(frozen=True, slots=True)
class Usage:
    """What a service gets to do in a month.

    `concurrency` is how many requests an instance handles at once on average: they share its time. `basis` names
    where the numbers are from.
    """

    requests: Decimal
    request_ms: Decimal
    egress_gib: Decimal
    concurrency: Decimal
    basis: str


# A site for a few people, a product's, and a busy one: about 0.04, 4 and 40 requests a second.
SIZES: Mapping[str, Usage] = {
    "small": Usage(Decimal(100_000), Decimal(100), Decimal(1), Decimal(1), "size small"),
    "medium": Usage(Decimal(10_000_000), Decimal(200), Decimal(50), Decimal(4), "size medium"),
    "large": Usage(Decimal(100_000_000), Decimal(200), Decimal(500), Decimal(20), "size large"),
}
DEFAULT_SIZE = "small"
_KEYS = {
    "requests": "requests",
    "requestMilliseconds": "request_ms",
    "egressGib": "egress_gib",
    "concurrency": "concurrency",
}
# With this key the numbers are what was metered in so many hours, and are scaled to a month.
_METERED = "meteredHours"
# Cloud's usual month: 365 days * 24 hours / 12.
MONTH_HOURS = 730
_EGRESS_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Usages:
    """The usage of every service: its own by `tenant/service`, else the default."""

    default: Usage = SIZES[DEFAULT_SIZE]
    services: Mapping[str, Usage] = field(default_factory=dict)

    def of(self, service: str) -> Usage:
        """Give the usage of a service."""
        return self.services.get(service, self.default)


def parse_usages(file: str, text: str, known: Iterable[str]) -> Usages:
    """Parse a usage file; `known` are the services that it may name. ManifestError carries every problem."""
    problems: list[Problem] = []
    documents = list(read_documents(file, text, problems))
    if len(documents) != 1 and not problems:
        problems.append(
            Problem(Location(file, 1, 1), "", f"must hold one document, got {len(documents)}", "usage.form")
        )
    usages = Usages()
    for document in documents[:1]:
        findings = Findings(document.locate)
        usages = _usages(document.data, sorted(known), findings)
        problems += findings.problems
    if problems:
        raise ManifestError(ordered(problems))
    return usages


def _usages(data: Any, known: list[str], findings: Findings) -> Usages:
    if not _is_mapping(data, (), ("default", "services"), findings):
        return Usages()
    default = _usage(data.get("default", DEFAULT_SIZE), ("default",), SIZES[DEFAULT_SIZE], findings)
    services = data.get("services", {})
    if not _is_mapping(services, ("services",), known, findings):
        return Usages(default)
    return Usages(
        default, {name: _usage(each, ("services", name), default, findings) for name, each in services.items()}
    )


def _usage(value: Any, path: Path, default: Usage, findings: Findings) -> Usage:
    """Read a size, or numbers over the default's."""
    if isinstance(value, str) and value in SIZES:
        return SIZES[value]
    if not isinstance(value, dict):
        message = f"must be {', '.join(SIZES)} or a mapping, got {render_value(value)}"
        findings.error(path, "usage.size", message)
        return default
    if not _is_mapping(value, path, [*_KEYS, _METERED], findings):
        return default
    numbers: dict[str, Any] = {_KEYS[key]: _number(value[key], (*path, key), findings) for key in _KEYS if key in value}
    given = dataclasses.replace(default, **numbers, basis="usage file")
    return _scaled(given, value, path, findings) if _METERED in value else given


def _scaled(metered: Usage, value: Any, path: Path, findings: Findings) -> Usage:
    """Scale what was metered to a month; what was not counted then cannot be told from a size."""
    hours = _number(value[_METERED], (*path, _METERED), findings)
    for key in ("requests", "egressGib"):
        if key not in value:
            findings.error((*path, key), "usage.metered", f"must be given with {_METERED}")
    if hours <= 0:
        findings.error((*path, _METERED), "usage.number", f"must be above 0, got {render_value(value[_METERED])}")
        return metered
    return dataclasses.replace(
        metered,
        requests=(metered.requests * MONTH_HOURS / hours).quantize(Decimal(1)),
        egress_gib=(metered.egress_gib * MONTH_HOURS / hours).quantize(_EGRESS_STEP).normalize(),
        basis=f"metered over {hours} hours",
    )


def _number(value: Any, path: Path, findings: Findings) -> Decimal:
    try:
        number = parse_amount(value)
    except ValueError as error:
        findings.error(path, "usage.number", str(error))
        return Decimal(1)
    # An instance handles at least one request at a time while it is busy.
    if path[-1] == "concurrency" and number < 1:
        findings.error(path, "usage.number", f"must be at least 1, got {render_value(value)}")
        return Decimal(1)
    return number


def _is_mapping(value: Any, path: Path, known: Iterable[str], findings: Findings) -> bool:
    if not isinstance(value, dict):
        findings.error(path, "usage.form", f"must be a mapping, got {render_value(value)}")
        return False
    known = list(known)
    unknown = [key for key in value if key not in known]
    for key in unknown:
        what = "unknown service" if path == ("services",) else "unknown key"
        findings.error((*path, key), "usage.unknown", what, closest(key, known), at_key=True)
    return not unknown

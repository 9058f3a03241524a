"""Reader of scenarios: YAML with positions, its schema, the rules across fields; every problem at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

from runyard.errors import ManifestError, UsageError
from runyard.forecast.traces import parse_trace
from runyard.location import Location
from runyard.manifest.problems import Findings, Path, Problem, ordered, render_value
from runyard.manifest.raw import Raw, mapping_at, mappings_at, value_at
from runyard.manifest.reader import read_documents
from runyard.manifest.schema import check_schema
from runyard.manifest.sources import load_text
from runyard.names import DEFAULT_TENANT, service_key
from runyard.workload.arrivals import CONSTANT, RAMP, count_arrivals
from runyard.workload.hosts import host_of, is_allowed
from runyard.workload.model import (
    LATE_MS,
    LATE_PERCENT,
    MOST_IN_FLIGHT,
    TIMEOUT_S,
    Checks,
    Generator,
    Phase,
    Scenario,
    Target,
    Thresholds,
)

# What a worker keeps of a request is some 150 bytes, and the analysis holds all of them.
MOST_REQUESTS = 5_000_000
_KIND = "workload"
# RFC 9110, 5.6.2.
_TOKEN = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")

# Gives the text of a file; ManifestError where it cannot.
Read = Callable[[str], str]


def load_scenario(file: str, hosts: Sequence[str] = ()) -> Scenario:
    """Read a scenario and the traces that it names; ManifestError carries every problem."""
    directory = FilePath(file).parent
    return parse_scenario(file, load_text(file), lambda trace: load_text(str(directory / trace)), hosts)


def parse_scenario(file: str, text: str, read: Read, hosts: Sequence[str] = ()) -> Scenario:
    """Parse a scenario; `read` gives the text of a trace, `hosts` may be asked beside those that it names itself.

    ManifestError carries every problem.
    """
    problems: list[Problem] = []
    documents = list(read_documents(file, text, problems))
    if len(documents) != 1 and not problems:
        message = f"must hold one document, got {len(documents)}"
        problems.append(Problem(Location(file, 1, 1), "", message, "workload.form"))
    found: Scenario | None = None
    for document in documents[:1]:
        findings = Findings(document.locate)
        fits = check_schema(_KIND, document.data, findings)
        _check(document.data, hosts, findings)
        if fits and not findings.problems and not problems:
            found = _build(document.data, FilePath(file).stem, findings, read)
        problems += findings.problems
    if problems or found is None:
        raise ManifestError(ordered(problems))
    return found


def check_size(scenario: Scenario) -> None:
    """Refuse a scenario of more requests than can be analysed; UsageError says how many."""
    requests = sum(map(count_arrivals, scenario.phases))
    if requests > MOST_REQUESTS:
        raise UsageError(f"{scenario.name}: must come to at most {MOST_REQUESTS:,} requests, got {requests:,.0f}")


def _check(data: Any, hosts: Sequence[str], findings: Findings) -> None:
    """Check what the schema cannot: fields that need or exclude each other, and hosts."""
    said = value_at(data, "spec", "hosts")
    allowed = [*hosts, *(each for each in (said if isinstance(said, list) else ()) if isinstance(each, str))]
    for index, target in mappings_at(data, "spec", "targets"):
        _check_target(target, ("spec", "targets", index), allowed, findings)
    for index, phase in mappings_at(data, "spec", "phases"):
        _check_phase(phase, ("spec", "phases", index), findings)


def _check_target(target: Raw, place: Path, hosts: Sequence[str], findings: Findings) -> None:
    if ("service" in target) == ("url" in target):
        seen = "both" if "url" in target else "neither"
        findings.error(place, "workload.target", f"must have either service or url, got {seen}")
    if "url" in target and "path" in target:
        findings.error((*place, "path"), "workload.target", "must be given with service alone: a url has its own")
    for name in mapping_at(target, "headers"):
        if not _TOKEN.fullmatch(name):
            message = f"must be a header field's name, got {render_value(name)}"
            findings.error((*place, "headers", name), "workload.header", message, at_key=True)
    url = target.get("url")
    if isinstance(url, str) and _has_host(url) and not is_allowed(url, hosts):
        message = f"must be of this machine or a host in spec.hosts, got {render_value(host_of(url))}"
        findings.error((*place, "url"), "workload.host", message, "load on what is not yours is an attack")


def _has_host(url: str) -> bool:
    # What the schema refuses may have none.
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _check_phase(phase: Raw, place: Path, findings: Findings) -> None:
    if ("shape" in phase) == ("trace" in phase):
        seen = "both" if "trace" in phase else "neither"
        findings.error(place, "workload.phase", f"must have either shape or trace, got {seen}")
        return
    shaped = "shape" in phase
    other = "trace" if shaped else "shape"
    for key in ("rate", "seconds"):
        if shaped and key not in phase:
            findings.error((*place, key), "workload.phase", "must be given with shape")
    for key in ("timeScale", "rateScale") if shaped else ("rate", "seconds", "from"):
        if key in phase:
            findings.error((*place, key), "workload.phase", f"must be given with {other} alone")
    if "from" in phase and phase.get("shape") not in (None, RAMP):
        message = f"must be given with a ramp alone, got it with {phase['shape']}"
        findings.error((*place, "from"), "workload.phase", message)


def _build(data: Raw, stem: str, findings: Findings, read: Read) -> Scenario | None:
    spec = data["spec"]
    phases = tuple(
        _trace(phase, ("spec", "phases", index), findings, read) if "trace" in phase else _shape(phase)
        for index, phase in enumerate(spec["phases"])
    )
    if findings.problems:
        return None
    generator = mapping_at(spec, "generator")
    return Scenario(
        name=mapping_at(data, "metadata").get("name", stem),
        targets=tuple(map(_target, spec["targets"])),
        phases=phases,
        thresholds=Thresholds(tuple((key, float(each)) for key, each in spec.get("thresholds", {}).items())),
        generator=Generator(
            workers=int(generator.get("workers", 1)),
            late_ms=float(generator.get("lateMilliseconds", LATE_MS)),
            late_percent=float(generator.get("latePercent", LATE_PERCENT)),
            most_in_flight=int(generator.get("maxInFlight", MOST_IN_FLIGHT)),
        ),
        hosts=tuple(spec.get("hosts", ())),
        warm_up_s=float(spec.get("warmUpSeconds", 0.0)),
        timeout_s=float(spec.get("timeoutSeconds", TIMEOUT_S)),
        seed=int(spec.get("seed", 1)),
    )


def _target(target: Raw) -> Target:
    service = target.get("service", "")
    if service and "/" not in service:
        service = service_key(DEFAULT_TENANT, service)
    path = target.get("path", "/")
    method = target.get("method", "GET")
    checks = mapping_at(target, "checks")
    return Target(
        name=target.get("name") or f"{method} {target.get('url') or service + path}",
        service=service,
        url=target.get("url", ""),
        path=path,
        method=method,
        headers=tuple(target.get("headers", {}).items()),
        body=target.get("body", ""),
        weight=int(target.get("weight", 1)),
        checks=Checks(
            tuple(map(int, checks.get("statuses", ()))),
            checks.get("bodyContains", ""),
            float(checks.get("maxMilliseconds", 0.0)),
        ),
    )


def _shape(phase: Raw) -> Phase:
    return Phase(
        phase.get("shape", CONSTANT),
        float(phase["seconds"]),
        float(phase["rate"]),
        float(phase.get("from", 0.0)),
        phase.get("gaps", "even"),
    )


def _trace(phase: Raw, place: Path, findings: Findings, read: Read) -> Phase:
    """Make a phase of a trace: its time and its requests scaled, its first moment the beginning of the phase."""
    faster, more = float(phase.get("timeScale", 1.0)), float(phase.get("rateScale", 1.0))
    try:
        batches = parse_trace(phase["trace"], read(phase["trace"]), 0.0)
    except (ManifestError, UsageError) as error:
        findings.error((*place, "trace"), "workload.trace", str(error))
        return Phase(phase["trace"], 0.0)
    began = batches[0].at_s
    moments = []
    for batch, after in zip(batches, [*batches[1:], None], strict=True):
        # Several of one moment are what was counted within a second, and are laid over it.
        until = batch.at_s + (1.0 if batch.requests > 1 else 0.0)
        until = until if after is None else min(until, after.at_s)
        moments.append(((batch.at_s - began) / faster, (until - began) / faster, batch.requests * more))
    seconds = max(moments[-1][1], moments[-1][0] + 1.0 / faster)
    return Phase(phase["trace"], seconds, gaps=phase.get("gaps", "even"), moments=tuple(moments))

"""Loader of manifests: files to typed data, with every problem of every file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from runyard.errors import ManifestError
from runyard.manifest.defaults import fill_defaults
from runyard.manifest.documents import YamlDocument
from runyard.manifest.model import Location, Manifests, Service
from runyard.manifest.platform import build_platform, check_platform
from runyard.manifest.pricebook import build_pricebook, check_pricebook
from runyard.manifest.problems import Findings, Problem, ordered, render_value
from runyard.manifest.raw import value_at
from runyard.manifest.reader import read_documents
from runyard.manifest.rules import check_service
from runyard.manifest.rules_set import ServiceSet, check_set
from runyard.manifest.rules_values import build_values, check_values
from runyard.manifest.schema import KINDS, RUNYARD_API, SERVICE_API, check_schema
from runyard.manifest.service import build_service
from runyard.manifest.sources import find_files, read_text
from runyard.manifest.support import check_support
from runyard.manifest.tenant import build_tenant, check_tenant

# A file with more is of another kind than its name says; a hostile one could hold a problem in every second byte.
FILE_PROBLEM_LIMIT = 1000

# The rule that another tool's document breaks, which is passed over beside one of ours.
_OTHER = "document.other"
_GROUPS = frozenset(api.partition("/")[0] for api, _ in KINDS if "/" in api)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Manifests that can be planned, and the warnings about them in stable order."""

    manifests: Manifests
    warnings: tuple[Problem, ...]


def load(paths: Sequence[FilePath | str]) -> Loaded:
    """Read files, directories (recursively) and globs; ManifestError carries every problem, warnings among them."""
    files, problems = find_files(paths)
    found = ServiceSet()
    for file in files:
        problems.extend(_load_file(file, found))
    if not paths:
        problems.append(Problem(Location(".", 1, 1), "", "must name at least one manifest", "file.missing"))
    problems.extend(check_set(found))
    problems = list(ordered(_without_echoes(problems)))
    if any(problem.severity == "error" for problem in problems):
        raise ManifestError(problems)
    return Loaded(found.manifests(), tuple(problems))


def _load_file(file: str, found: ServiceSet) -> list[Problem]:
    text, problems = read_text(file)
    if problems:
        return problems
    unread: list[Problem] = []
    told, ours = 0, len(found.named)
    empty = True
    for document in read_documents(file, text, unread):
        empty = False
        # What the reader has told since the last document is of this one.
        problems.extend(_load_document(document, found, readable=len(unread) == told))
        told = len(unread)
        if len(problems) >= FILE_PROBLEM_LIMIT:
            message = f"has {FILE_PROBLEM_LIMIT} problems; reading stopped here"
            problems.append(Problem(document.locate(()), "", message, "file.problems"))
            break
    if empty and not unread:
        problems.append(Problem(Location(file, 1, 1), "", "holds no document", "file.empty"))
    if len(found.named) > ours:
        problems = [_passed_over(each) if each.rule == _OTHER else each for each in problems]
    return unread + problems


def _passed_over(problem: Problem) -> Problem:
    """Turn the refusal of another tool's document into a warning, where the file has documents of ours beside it."""
    return replace(problem, message=f"not read: {problem.message}", hint="", severity="warning")


def _load_document(document: YamlDocument, found: ServiceSet, *, readable: bool) -> list[Problem]:
    findings = Findings(document.locate)
    kind = _kind(document.data, findings)
    if kind is None:
        return findings.problems
    data: dict[str, Any] = document.data
    if kind == "service":
        fill_defaults(data, findings)
    fits = check_schema(kind, data, findings)
    _CHECKS[kind](data, findings)
    found.note(kind, data, document)
    if fits and readable and not any(problem.severity == "error" for problem in findings.problems):
        _add(kind, document, found)
    return findings.problems


def _check_service(data: dict[str, Any], findings: Findings) -> None:
    check_service(data, findings)
    check_support(data, findings)


_CHECKS: dict[str, Callable[[dict[str, Any], Findings], None]] = {
    "service": _check_service,
    "platform": check_platform,
    "tenant": check_tenant,
    "pricebook": check_pricebook,
    "configmap": partial(check_values, "configMap"),
    "secret": partial(check_values, "secret"),
}


def _add(kind: str, document: YamlDocument, found: ServiceSet) -> None:
    """Build a document without errors and keep it."""
    data, location = document.data, document.locate(())
    if kind == "service":
        found.add_service(_place_traffic(build_service(data, location), document), document)
    elif kind == "platform":
        found.add_platform(build_platform(data, document.locate), document)
    elif kind == "tenant":
        found.add_tenant(build_tenant(data, location), document)
    elif kind == "pricebook":
        found.add_price_book(build_pricebook(data, location), document)
    else:
        found.values.append(build_values("secret" if kind == "secret" else "configMap", data, location))


def _place_traffic(service: Service, document: YamlDocument) -> Service:
    """Give each traffic target its place: whether the revision that it names is kept is known only later."""
    places = [document.locate(("spec", "traffic", index, "revisionName")) for index in range(len(service.traffic))]
    targets = (replace(each, location=place) for each, place in zip(service.traffic, places, strict=True))
    return replace(service, traffic=tuple(targets))


def _kind(data: Any, findings: Findings) -> str | None:
    if type(data) is not dict:
        # Text that is no manifest may be anything, a key file too.
        seen = "a list" if type(data) is list else "a single value"
        findings.error((), "document.mapping", f"must be a mapping, got {seen}")
        return None
    api, name = value_at(data, "apiVersion"), value_at(data, "kind")
    if isinstance(api, str) and isinstance(name, str) and (api, name) in KINDS:
        return KINDS[api, name]
    kinds = f"{SERVICE_API} Service, {RUNYARD_API} Platform, Tenant and PriceBook, and ConfigMap and Secret beside them"
    hint = f"Runyard reads {kinds}; keep other documents elsewhere"
    for key, value in (("apiVersion", api), ("kind", name)):
        if value is None:
            findings.error((key,), "document.kind", "must be given", hint)
            return None
    versions = [each for each, kind in KINDS if kind == name]
    if versions:
        findings.error(("apiVersion",), "document.kind", f"must be {versions[0]} for a {name}, got {render_value(api)}")
    else:
        group = api.partition("/")[0] if isinstance(api, str) else ""
        rule = "document.kind" if group in _GROUPS else _OTHER
        findings.error(("kind",), rule, f"unknown kind, got {render_value(name)} of {render_value(api)}", hint)
    return None


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Leave out what follows from a problem that is told: of a value that was refused, the first reason is enough."""
    unread = {problem.location for problem in problems if problem.rule.startswith("yaml.")}
    mistyped = {(problem.location, problem.path) for problem in problems if problem.rule == "schema.type"}
    unfit = {(problem.location, problem.path) for problem in problems if problem.rule.startswith("schema.")}

    def is_echo(problem: Problem) -> bool:
        place = (problem.location, problem.path)
        if problem.rule.startswith("yaml."):
            return False
        if problem.location in unread or (place in mistyped and problem.rule != "schema.type"):
            return True
        return place in unfit and not problem.rule.startswith("schema.")

    return [problem for problem in problems if not is_echo(problem)]

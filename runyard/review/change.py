"""Changes in manifest terms: by service or other document, with the path, the old and the new value."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from policies.secret import SECRET, is_secret, render_words
from policies.waiver import ANNOTATION
from runyard.manifest.model import Manifests, Service, Tenant, Values
from runyard.manifest.problems import render_path
from runyard.manifest.rules_annotations import AUTOSCALING, CLOUD_RUN
from runyard.manifest.schema import known_annotations
from runyard.names import service_key
from runyard.plan.facts import describe_service, spell_field
from runyard.plan.quota import RESOURCES, limits_of, render_amount
from runyard.pricing.prices import PriceBook
from runyard.units import parse_quantity

Operation = Literal["add", "remove", "change"]
ManifestKind = Literal["Platform", "PriceBook", "Service", "Tenant"]
Path = tuple[str, ...]
Facts = Mapping[tuple[ManifestKind, str], Mapping[Path, Any]]
_CONTAINERS = ("containers", "initContainers")
_EXECUTED = ("args", "command", "image", "workingDir")
_WAIVERS = ("annotations", ANNOTATION)
# Annotations that Runyard knows and that no field of a Service is made of.
_WITHOUT_FIELD = frozenset(
    {AUTOSCALING + "class", CLOUD_RUN + "iap-enabled", CLOUD_RUN + "secrets"},
)
# How facts write a reference: it names a secret and holds none.
_REFERENCE = re.compile(r"\[(?:secret|configMap) [a-z0-9.-]+/[A-Za-z0-9._-]+(?:, optional)?\]")


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `path` is empty when a whole document came or went, and `before` or `after` is then None.

    `runs` says that it is, or shapes, what an instance executes: image, command, arguments, environment. `flagged` asks
    for a reviewer's eye: a limit that was raised or removed, a new waiver, something that runs and may not be shown.
    """

    document: ManifestKind
    name: str
    op: Operation
    path: str
    before: Any = None
    after: Any = None
    flagged: bool = False
    runs: bool = False


def find_changes(before: Manifests, after: Manifests) -> tuple[Change, ...]:
    """Find every change, ordered by document, name and path; what is equal in both is not told."""
    old, new = _facts(before), _facts(after)
    return tuple(change for key in sorted(old.keys() | new.keys()) for change in _compare(key, old, new))


def _compare(key: tuple[ManifestKind, str], old: Facts, new: Facts) -> Iterator[Change]:
    document, name = key
    if key not in old:
        yield Change(document, name, "add", "")
    elif key not in new:
        yield Change(document, name, "remove", "", flagged=document == "Tenant")
    were, are = old.get(key, {}), new.get(key, {})
    # A document that went says nothing more; of one that came, its limits and values are worth reading.
    for path in sorted(were.keys() | are.keys()) if key in new else ():
        before, after = were.get(path), are.get(path)
        if before != after:
            op: Operation = "add" if path not in were else "remove" if path not in are else "change"
            shown = _shown(path, before), _shown(path, after)
            runs = document == "Service" and _runs(path)
            # A waiver asks for an eye in a new service too; a limit of what is new raises none.
            flagged = (key in old or path[:2] == _WAIVERS) and _loosens(path, before, after)
            # What looks like a secret may be a program: a reviewer reads it where it stands.
            flagged = flagged or (runs and SECRET in json.dumps(shown))
            yield Change(document, name, op, render_path(path), *shown, flagged=flagged, runs=runs)


def _facts(manifests: Manifests) -> Facts:
    found: dict[tuple[ManifestKind, str], Mapping[Path, Any]] = {}
    for service in manifests.services:
        found["Service", service_key(service.tenant, service.name)] = dict(_flat(_describe(service, manifests.values)))
    for tenant in manifests.tenants:
        if tenant.location is not None:
            found["Tenant", tenant.name] = dict(_flat(_describe_tenant(tenant)))
    if manifests.platform.location is not None:
        found["Platform", manifests.platform.name] = dict(_flat(_plain(manifests.platform)))
    if manifests.price_book is not None:
        found["PriceBook", manifests.price_book.name] = dict(_flat(_describe_book(manifests.price_book)))
    return found


def _describe(service: Service, values: Sequence[Values]) -> dict[str, Any]:
    facts = dict(describe_service(service, values))
    waivers = _describe_waivers(service)
    facts["annotations"] = _describe_annotations(service.annotations) | ({ANNOTATION: waivers} if waivers else {})
    facts["templateAnnotations"] = _describe_annotations(service.template.annotations)
    if service.labels:
        facts["labels"] = dict(service.labels)
    return facts


def _describe_annotations(annotations: Mapping[str, str]) -> dict[str, Any]:
    """Describe the annotations that no field of the facts shows; those that are only kept change nothing."""
    elsewhere = frozenset().union(*known_annotations()) - _WITHOUT_FIELD
    return {name: value for name, value in annotations.items() if name not in elsewhere}


def _describe_waivers(service: Service) -> dict[str, str]:
    """Describe each waiver by its rule, so that a reviewer sees every one that changes and none that does not."""
    found: dict[str, str] = {}
    for part in service.annotations.get(ANNOTATION, "").split(";"):
        rule, _, terms = part.strip().partition(" ")
        if rule:
            found[rule] = "; ".join(filter(None, (found.get(rule), terms or part.strip())))
    return found


def _describe_tenant(tenant: Tenant) -> dict[str, Any]:
    limits = limits_of(tenant.quotas)
    quotas = {resource: render_amount(limit, RESOURCES[resource]) for resource, limit in limits.items()}
    return _plain(tenant) | {"quotas": quotas}


def _describe_book(book: PriceBook) -> dict[str, Any]:
    facts = _plain(book)
    return facts | {"periods": {f"from {period.start}": _plain(period) for period in book.periods}}


def _plain(value: Any) -> dict[str, Any]:
    """Give a dataclass as nested mappings, lists of named things by their names, amounts as text."""
    found: dict[str, Any] = {}
    for each in dataclasses.fields(value):
        item = getattr(value, each.name)
        if each.name in ("location", "name") or not each.compare:
            continue
        if each.name == "members":
            item = {member.user: member.role for member in item}
        found[spell_field(each.name)] = _plain(item) if dataclasses.is_dataclass(item) else item
    return found


def _flat(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, (*path, str(key)))
    elif value not in (None, (), [], ""):
        yield path, _comparable(value)


def _comparable(value: Any) -> Any:
    if isinstance(value, Decimal):
        # 1.50 and 1.5 are the same price.
        return format(value.normalize(), "f")
    return [_comparable(each) for each in value] if isinstance(value, tuple | list) else value


def _shown(path: Path, value: Any) -> Any:
    """Give a value as it may be shown: what may be a secret is not."""
    if isinstance(value, list):
        if path[-1] in ("args", "command"):
            return render_words(value)
        if path[-1] == "headers":
            return [[name, SECRET if is_secret(name, item) else item] for name, item in value]
        return [_shown(path, each) for each in value]
    name = path[-1] if "env" in path else ""
    if not isinstance(value, str) or _REFERENCE.fullmatch(value):
        return value
    return SECRET if is_secret(name, value) else value


def _runs(path: Path) -> bool:
    """Tell whether a field of a Service is what an instance executes, or what that reads: a probe's command too."""
    return path[0] in _CONTAINERS and (path[-1] in _EXECUTED or "env" in path)


def _loosens(path: Path, before: Any, after: Any) -> bool:
    """Tell whether a change gives more room or sets a rule aside, so that a reviewer should look at it."""
    if path[:2] == _WAIVERS:
        return after is not None
    if path[0] == "allowedRegistries" or path[:2] == ("budget", "thresholds"):
        return True
    if not (path[0] == "quotas" or path == ("budget", "amount")) or before is None:
        return False
    return after is None or parse_quantity(str(after)) > parse_quantity(str(before))

"""Completeness of reviews: whatever of the reference file changes the model or the plan is told."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runyard.errors import ManifestError
from runyard.location import Location
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.manifest.platform import build_platform
from runyard.manifest.pricebook import build_pricebook
from runyard.manifest.problems import Findings
from runyard.manifest.rules import check_service
from runyard.manifest.schema import check_schema
from runyard.manifest.service import build_service
from runyard.manifest.support import level_of
from runyard.manifest.tenant import build_tenant
from runyard.plan import plan
from runyard.review.change import find_changes

REFERENCE = Path(__file__).parents[4] / "manifests" / "reference.yaml"
DOCUMENTS: list[Any] = list(yaml.safe_load_all(REFERENCE.read_text(encoding="utf-8")))
BASE = load([REFERENCE]).manifests
PLACE = Location("x.yaml", 1, 1)
Keys = tuple[str | int, ...]
REMOVED = object()
# Of the 400 leaves; the others are of a fixed value, or refused when they are read.
LEAST_TOLD = 250


def leaves(value: Any, keys: Keys = ()) -> Iterator[Keys]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*keys, key))
    if not isinstance(value, dict | list):
        yield keys


def at(data: Any, keys: Keys) -> Any:
    return functools.reduce(lambda value, key: value[key], keys, data)


def other_values(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value, REMOVED]
    if isinstance(value, int):
        return [value + 1, REMOVED]
    if isinstance(value, str):
        switched = {"true": ["false"], "false": ["true"], "on": ["off"], "all": ["internal", "none"]}
        return [*switched.get(value, []), f"{value}5", f"1{value}", f"{value}x", REMOVED]
    return ["other", REMOVED]


def mutants() -> Iterator[tuple[int, Keys, Any]]:
    for number, document in enumerate(DOCUMENTS):
        for keys in leaves(document):
            for value in other_values(at(document, keys)):
                yield number, keys, value


def build(number: int, keys: Keys, value: Any) -> Manifests:
    """Build the reference's model with one leaf changed; any error where that cannot be read."""
    data = copy.deepcopy(DOCUMENTS[number])
    if value is REMOVED:
        del at(data, keys[:-1])[keys[-1]]
    else:
        at(data, keys[:-1])[keys[-1]] = value
    if data["kind"] == "Platform":
        return dataclasses.replace(BASE, platform=build_platform(data, lambda _: PLACE))
    if data["kind"] == "Tenant":
        tenants = [each for each in BASE.tenants if each.name != DOCUMENTS[number]["metadata"]["name"]]
        return dataclasses.replace(BASE, tenants=(*tenants, build_tenant(data, PLACE)))
    if data["kind"] == "PriceBook":
        return dataclasses.replace(BASE, price_book=build_pricebook(data, PLACE))
    findings = Findings(lambda *_: PLACE)
    if check_schema("service", data, findings):
        check_service(data, findings)
    if any(problem.severity == "error" for problem in findings.problems):
        raise ManifestError(findings.problems)
    services = [each for each in BASE.services if each.name != DOCUMENTS[number]["metadata"]["name"]]
    return dataclasses.replace(BASE, services=(*services, build_service(data, PLACE)))


def model(manifests: Manifests) -> Any:
    """Give the model without places, order, and the texts of annotations, each of which a field is made of."""
    services = [
        dataclasses.replace(
            each,
            location=PLACE,
            annotations={},
            template=dataclasses.replace(each.template, annotations={}),
        )
        for each in sorted(manifests.services, key=lambda each: (each.tenant, each.name))
    ]
    tenants = [dataclasses.replace(each, location=PLACE) for each in sorted(manifests.tenants, key=lambda t: t.name)]
    platform = dataclasses.replace(manifests.platform, location=PLACE)
    book = manifests.price_book and dataclasses.replace(manifests.price_book, location=PLACE)
    return platform, tenants, services, book


def planned(manifests: Manifests) -> Any:
    """Give the plan without what a review is made of itself, and without places."""
    found = plan(dataclasses.replace(manifests, platform=dataclasses.replace(manifests.platform, location=PLACE)))
    return dataclasses.replace(
        found, services=tuple(dataclasses.replace(each, facts={}, location=PLACE) for each in found.services)
    )


BASE_MODEL, BASE_PLAN = model(BASE), planned(BASE)


def level(keys: Keys) -> str:
    path = "".join("[]" if isinstance(key, int) else f".{key}" for key in keys[:-1]).removeprefix(".")
    annotation = path.endswith("annotations")
    return level_of(f"{path}{'|' if annotation else '.'}{keys[-1]}")[0]


def counts(number: int, keys: Keys, value: Any, changed: Manifests) -> bool:
    """Tell whether the model or the plan changes; of an annotation without a field, its text is the model."""
    if DOCUMENTS[number]["kind"] == "Service" and keys[-2:-1] == ("annotations",) and value is not REMOVED:
        return level(keys) != "kept"
    if model(changed) != BASE_MODEL:
        return True
    try:
        return bool(planned(changed) != BASE_PLAN)
    except Exception:
        # What cannot be planned is refused before it is reviewed.
        return False


@pytest.mark.no_cover
def test_whatever_changes_the_model_or_the_plan_is_told() -> None:
    told, hidden = 0, []
    for number, keys, value in mutants():
        try:
            changed = build(number, keys, value)
        except Exception:
            # What cannot be read has no review.
            continue
        if find_changes(BASE, changed):
            told += 1
        elif counts(number, keys, value, changed):
            hidden.append((number, ".".join(map(str, keys)), value))
    assert hidden == []
    assert told > LEAST_TOLD


@pytest.mark.parametrize("key", ["optional", "readOnly", "subPath", "run.googleapis.com/iap-enabled"])
def test_leaf_that_was_once_hidden_is_among_the_mutants(key: str) -> None:
    assert [keys for _, keys, _ in mutants() if keys[-1] == key]

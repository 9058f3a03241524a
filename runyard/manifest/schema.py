"""Schema check of one document: compiled JSON Schema, its errors told in our shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

import jsonschema_rs

from runyard.manifest.problems import Findings, Path, render_value
from runyard.units import render_count

# A link to manifests/schema, where editors look; in a wheel, which has no manifests, the files themselves.
SCHEMA_DIRECTORY = FilePath(__file__).resolve().parent / "schemas"
SERVICE_API = "serving.knative.dev/v1"
RUNYARD_API = "runyard.dev/v1"
CORE_API = "v1"
KINDS = {
    (SERVICE_API, "Service"): "service",
    (RUNYARD_API, "Platform"): "platform",
    (RUNYARD_API, "Tenant"): "tenant",
    (RUNYARD_API, "PriceBook"): "pricebook",
    (CORE_API, "ConfigMap"): "configmap",
    (CORE_API, "Secret"): "secret",
}
# A document with more has another cause than its single fields; looking for similar keys is slow too.
PROBLEM_LIMIT = 100
_KEY_LIMIT = 64
# Of shells, of make and of Kubernetes, and of Jinja2 and Helm.
_VARIABLE = re.compile(r"\$[{(][A-Za-z_]|\{\{")
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def check_schema(kind: str, data: Any, findings: Findings) -> bool:
    """Check a document against the schema of its kind; True if it fits."""
    validator, schema = _load(kind)
    if validator.is_valid(data):
        return True
    before = len(findings.problems)
    for error in validator.iter_errors(data):
        _explain(error, schema, findings)
        if len(findings.problems) - before >= PROBLEM_LIMIT:
            message = f"has {PROBLEM_LIMIT} problems; the others are not shown"
            findings.error((), "schema.problems", message)
            break
    return False


def load_schema(kind: str) -> dict[str, Any]:
    """Load the JSON Schema of a kind: service, platform, tenant, pricebook, configmap or secret."""
    schema: dict[str, Any] = json.loads((SCHEMA_DIRECTORY / f"{kind}.json").read_text(encoding="utf-8"))
    return schema


def closest(word: str, known: Iterator[str] | list[str] | dict[str, Any]) -> str:
    """Give the `did you mean` hint for a misspelt word, or nothing."""
    if len(word) > _KEY_LIMIT:
        return ""
    # Imported here because a valid file needs it not, and the start of `validate` is short.
    import difflib

    by_folded = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(word.casefold(), sorted(by_folded), n=1, cutoff=0.7)
    return f"did you mean {by_folded[found[0]]}?" if found else ""


@lru_cache(maxsize=8)
def _load(kind: str) -> tuple[Any, dict[str, Any]]:
    schema = load_schema(kind)
    return jsonschema_rs.Draft202012Validator(schema), schema


def _explain(error: jsonschema_rs.ValidationError, schema: dict[str, Any], findings: Findings) -> None:
    path: Path = tuple(error.instance_path)
    kind: Any = error.kind
    holder: Any = schema
    for part in error.schema_path[:-1]:
        holder = holder[part]
    hint = holder.get("x-hint", "")
    if kind.name == "additionalProperties":
        _explain_unknown(path, kind.unexpected, holder, findings)
    elif kind.name == "required":
        findings.error((*path, kind.property), "schema.required", "must be given", hint)
    elif kind.name == "not":
        refused = holder["description"].removeprefix("Refused: ")
        findings.error(path, "schema.refused", f"{refused}: not supported", hint, at_key=True)
    else:
        seen = render_value(error.instance, path)
        if isinstance(error.instance, str) and _VARIABLE.search(error.instance):
            hint = "a template? replace its variables first, as envsubst does"
        elif kind.name == "type":
            hint = hint or _quote_hint(kind.types, error.instance)
        findings.error(path, f"schema.{kind.name}", f"{_rule(kind, holder)}, got {seen}", hint)


def _explain_unknown(path: Path, keys: list[str], holder: dict[str, Any], findings: Findings) -> None:
    known = [key for key, field in holder.get("properties", {}).items() if "not" not in field]
    for key in sorted(keys)[:PROBLEM_LIMIT]:
        findings.error((*path, key), "schema.unknown-key", "unknown key", closest(key, known), at_key=True)


def _quote_hint(types: list[str], value: Any) -> str:
    return "quote it" if "string" in types and isinstance(value, bool | int | float) else ""


def _rule(kind: Any, holder: dict[str, Any]) -> str:
    """Say the rule that a value breaks; the schema's own words first."""
    if kind.name == "type":
        return "must be " + " or ".join(_TYPES[each] for each in kind.types)
    if "x-rule" in holder and kind.name in ("pattern", "const", "enum", "minimum", "maximum"):
        return str(holder["x-rule"])
    value = kind.value
    rules = {
        "enum": lambda: (
            ("must be one of " if len(value) > 1 else "must be ")
            + ", ".join(json.dumps(each) if each == "" else str(each) for each in value)
        ),
        "const": lambda: f"must be {value}",
        "minimum": lambda: f"must be at least {value}",
        "maximum": lambda: f"must be at most {value}",
        "minLength": lambda: "must not be empty" if value == 1 else f"must have at least {value} characters",
        "maxLength": lambda: f"must have at most {value} characters",
        "minItems": lambda: "must not be empty" if value == 1 else f"must have at least {value} items",
        "maxItems": lambda: f"must have at most {render_count(value, 'item')}",
    }
    return rules[kind.name]() if kind.name in rules else f"must meet {kind.name} of the schema"


@lru_cache(maxsize=1)
def known_annotations() -> tuple[frozenset[str], frozenset[str]]:
    """Give the annotations that a Service and its template may have, from the schema."""
    service = _load("service")[1]["properties"]
    template = service["spec"]["properties"]["template"]["properties"]
    found = (holder["metadata"]["properties"]["annotations"]["properties"] for holder in (service, template))
    on_service, on_template = map(frozenset, found)
    return on_service, on_template

"""OpenAPI 3.1 of the API, made from its operations and the classes of their messages. Pure."""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Collection, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from runyard.codec import VERSION, encode
from services.orchestrator.api.operations import JSON, Operation

# What no handler answers itself: a path, a method or a Host that is not ours, and what is a fault of ours.
EVERYWHERE = (404, 405, 421, 500)
PROBLEM = "application/problem+json"
_PLAIN: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_TITLES = {
    400: "A field, parameter or body does not fit; `detail` says which, the rule and what was seen.",
    403: "A quota of the tenant has no room for it.",
    404: "The named thing is not there.",
    405: "The path has no such method.",
    408: "The body did not come in time.",
    409: "The rollout failed and nothing was switched; `logs` has the last lines of the instance to blame.",
    413: "The body is larger than such a message may be.",
    421: "The Host header names another host than the loopback (on the port alone).",
    429: "Too many streams are open.",
    500: "The orchestrator failed.",
    502: "The container engine or the gateway failed.",
    503: "It is not in step.",
}


def describe(operations: Collection[Operation]) -> dict[str, Any]:
    """Describe operations as an OpenAPI document, plain data; equal operations give equal data."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Runyard orchestrator",
            "version": f"v{VERSION}",
            "description": "Reads on the loopback's port; what changes anything on the unix socket alone.",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {
            str(operation.status): {
                "description": operation.summary,
                "content": {operation.media_type: _content(operation.answer, schemas)},
            },
            **{str(status): _problem(status) for status in sorted({*operation.errors, *EVERYWHERE})},
        },
    }
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": {JSON: _content(operation.body, schemas)}}
    return found


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    label = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
    names = re.findall(r"\{(\w+)\}", operation.path)
    return [{"name": name, "in": "path", "required": True, "schema": label} for name in names]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    found = [
        {
            "name": each.name,
            "in": "query",
            "description": f"{each.summary} Form: `{each.pattern}`.",
            "schema": {"type": "string"},
            "example": each.example,
        }
        for each in operation.query
    ]
    if operation.name == "watch":
        about = "The id of the last event that was seen; what came after it is told, or everything anew."
        found.append({"name": "Last-Event-ID", "in": "header", "description": about, "schema": {"type": "string"}})
    return found


def _content(example: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if dataclasses.is_dataclass(example) and not isinstance(example, type):
        return {"schema": _schema(type(example), schemas), "example": json.loads(encode(example))}
    return {"schema": {"type": "string" if isinstance(example, str) else "object"}, "example": example}


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": _TITLES[status], "content": {PROBLEM: {"schema": schema}}}


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a field's type, as the codec reads it; a message's own goes to the components once."""
    origin, arms = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = next(arm for arm in arms if arm is not types.NoneType)
        return {"anyOf": [_schema(inner, schemas), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(arms)}
    if origin is tuple and len(arms) == 2 and arms[1] is Ellipsis:
        return {"type": "array", "items": _schema(arms[0], schemas)}
    if origin is tuple:
        items = [_schema(arm, schemas) for arm in arms]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arms[1], schemas)}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    name = str(kind.__name__)
    if name not in schemas:
        # Entered before its fields are looked at, which may be of the same kind.
        schemas[name] = {}
        schemas[name] = _object(kind, schemas)
    return {"$ref": f"#/components/schemas/{name}"}


def _object(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    hints, fields = get_type_hints(kind), dataclasses.fields(kind)
    needed = [each.name for each in fields if each.default is each.default_factory is dataclasses.MISSING]
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": {each.name: _schema(hints[each.name], schemas) for each in fields},
        "required": needed,
        "additionalProperties": False,
    }


_PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "logs": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["type", "title", "status", "detail", "logs"],
    "example": {
        "type": "about:blank",
        "title": "request refused",
        "status": 400,
        "detail": "scale acme/shop: count must be from 0 to 100, got 101",
        "logs": [],
    },
}

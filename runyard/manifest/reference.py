"""Reference of every manifest key, made from the schema and the table of support: docs/manifest.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from runyard.manifest.schema import KINDS, load_schema
from runyard.manifest.support import level_of

_HEAD = """\
# Manifest reference

Made by `python -m runyard.manifest.reference`; do not edit. `manifests/reference.yaml` shows every key in place.

- *supported*: carried out.
- *limited*: carried out as the note says.
- *later*: accepted and checked, not carried out yet; `runyard validate` warns once.
- *kept*: known, without effect here; `runyard validate` warns once.
- *refused*: an error; the note says what to use instead.
"""


def list_fields(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """List every key of a kind: its path, with `[]` for items and `|` before an annotation, and its schema."""
    root = load_schema(kind)
    # Reversed, because the last one is taken first, and the order of the schema is the order of the table.
    stack: list[tuple[str, dict[str, Any]]] = [("", root)]
    while stack:
        path, node = stack.pop()
        if path:
            yield path, node
        below = _resolve(node, root)
        fields = below.get("properties", {})
        children = [(_join(path, key), {**_resolve(each, root), **each}) for key, each in fields.items()]
        items = below.get("items")
        if items is not None:
            target = _resolve(items, root)
            children = [(_join(path + "[]", key), {**_resolve(e, root), **e}) for key, e in _fields(target).items()]
        stack.extend(reversed(children))


def render_reference() -> str:
    """Render the whole reference as Markdown."""
    parts = [_HEAD]
    for (api, name), kind in KINDS.items():
        parts.append(f"\n## {name} (`{api}`)\n\n{load_schema(kind)['description']}\n")
        parts.append("\n| key | type | default | support | meaning |\n| --- | --- | --- | --- | --- |\n")
        parts.extend(_row(kind, path, field) for path, field in list_fields(kind))
    return "".join(parts)


def _fields(node: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = node.get("properties", {})
    return fields


def _resolve(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference into the schema's own definitions."""
    target: dict[str, Any] = node
    if "$ref" in node:
        target = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
    return target


def _join(path: str, key: str) -> str:
    if "/" in key:
        return f"{path}|{key}"
    return f"{path}.{key}" if path else key


def _row(kind: str, path: str, field: dict[str, Any]) -> str:
    level, note = (
        ("refused", field["x-hint"]) if "not" in field else level_of(path) if kind == "service" else (None, "")
    )
    meaning = field.get("description", "").removeprefix("Refused: ").removeprefix("Kept, no effect: ")
    if note and level in ("limited", "refused"):
        meaning = f"{meaning.rstrip('.')}. Note: {note}." if level == "limited" else f"{meaning}: {note}"
    default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
    key = path.replace("|", ": ")
    cells = (f"`{key}`", _type(field), default, level or "supported", meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _type(field: dict[str, Any]) -> str:
    if "not" in field:
        return ""
    if "enum" in field:
        return ", ".join(json.dumps(each) if each == "" else str(each) for each in field["enum"])
    if "const" in field:
        return json.dumps(field["const"]).strip('"')
    kind = field.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


if __name__ == "__main__":
    sys.stdout.write(render_reference())

"""Reference: the documented file, the generated page, the schema and the table of support say the same."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from runyard.manifest import load
from runyard.manifest.documents import YamlDocument
from runyard.manifest.problems import Path
from runyard.manifest.reader import read_documents
from runyard.manifest.reference import list_fields, render_reference
from runyard.manifest.schema import KINDS, SCHEMA_DIRECTORY, known_annotations, load_schema
from runyard.manifest.support import KEPT, LATER, LIMITED, level_of

ROOT = FilePath(__file__).parents[4]
REFERENCE = ROOT / "manifests" / "reference.yaml"
# The head of the file explains the mark itself.
DEFAULTS_OF_SHARED_KEYS = 1
FIELDS = [(kind, path, field) for kind in KINDS.values() for path, field in list_fields(kind)]


# Read once: a thousand tests ask.
@functools.cache
def documents(kind: str) -> list[YamlDocument]:
    names = {each: name for (_, name), each in KINDS.items()}
    everything = read_documents(str(REFERENCE), REFERENCE.read_text(encoding="utf-8"), [])
    return [document for document in everything if document.data["kind"] == names[kind]]


def values_at(data: Any, name: str) -> Iterator[tuple[Path, Any]]:
    """Give every place and value of a key: `[]` is each item, `|` stands before an annotation."""
    fields, _, annotation = name.partition("|")
    parts = fields.replace("[]", ".[]").split(".") + ([annotation] if annotation else [])
    found: list[tuple[Path, Any]] = [((), data)]
    for part in parts:
        if part == "[]":
            found = [((*path, index), item) for path, items in found for index, item in enumerate(items)]
        else:
            found = [((*path, part), value[part]) for path, value in found if part in value]
    yield from found


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, path, field in FIELDS if "not" not in field], ids=lambda part: str(part)
)
def test_reference_shows_every_key(kind: str, path: str) -> None:
    probe = re.match(r"(.*\.)(startupProbe|livenessProbe|readinessProbe)\.(.*)", path)
    # The three probes have the same keys; shown once is enough.
    paths = (
        [f"{probe[1]}{each}.{probe[3]}" for each in ("startupProbe", "livenessProbe", "readinessProbe")]
        if probe
        else [path]
    )
    assert any(True for document in documents(kind) for each in paths for _ in values_at(document.data, each)), path


def test_reference_loads_without_an_error() -> None:
    loaded = load([REFERENCE])
    assert [service.name for service in loaded.manifests.services] == ["callee", "everything"]


def test_reference_states_defaults_as_they_are() -> None:
    stated = 0
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    for kind, name, field in FIELDS:
        for document in documents(kind):
            for path, value in values_at(document.data, name):
                line = lines[document.locate(path, at_key=True).line - 1]
                if "# default" in line and line.lstrip(" -").startswith(f"{path[-1]}:"):
                    assert value == field.get("default", "no default"), line
                    stated += 1
    assert stated == sum("# default" in line for line in lines) - DEFAULTS_OF_SHARED_KEYS


def test_reference_warns_of_exactly_what_the_table_names() -> None:
    warned = {problem.path for problem in load([REFERENCE]).warnings}
    for path in (*LATER, *KEPT):
        fields, _, annotation = path.partition("|")
        shown = re.escape(fields + (f'["{annotation}"]' if annotation else "")).replace(r"\[\]", r"\[\d+\]")
        assert any(re.fullmatch(shown, each) for each in warned), path


def test_table_of_support_names_only_keys_of_the_schema() -> None:
    known = {path for kind, path, _ in FIELDS if kind == "service"}
    assert {*LIMITED, *LATER, *KEPT} <= known


def test_level_is_that_of_the_nearest_named_path() -> None:
    volumes = "spec.template.spec.volumes[]"
    assert level_of("spec.template.spec.nodeSelector.disk") == ("later", "accepted, not carried out yet")
    assert level_of(f"{volumes}.emptyDir.sizeLimit")[0] == "limited"
    assert level_of(f"{volumes}.name") == ("supported", "")
    assert level_of("metadata.uid") == ("kept", "kept, has no effect here")


def test_page_is_what_the_schema_makes() -> None:
    page = ROOT / "docs" / "manifest.md"
    assert page.read_text(encoding="utf-8") == render_reference(), (
        "run python -m runyard.manifest.reference > docs/manifest.md"
    )


@pytest.mark.parametrize("kind", [*KINDS.values(), "manifest"])
def test_schema_is_valid_2020_12(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(load_schema(kind))


@pytest.mark.parametrize(("kind", "path", "field"), FIELDS, ids=[path for _, path, _ in FIELDS])
def test_schema_describes_every_key(kind: str, path: str, field: Any) -> None:
    assert field.get("description"), path
    if "not" in field:
        assert field["x-hint"], path
    elif "pattern" in field:
        assert field["x-rule"].startswith("must be"), path


def test_index_schema_chooses_by_kind() -> None:
    paths = SCHEMA_DIRECTORY.glob("*.json")
    resources = [Resource.from_contents(json.loads(path.read_text(encoding="utf-8"))) for path in paths]
    registry: Any = Registry().with_resources((resource.id() or "", resource) for resource in resources)
    validator = jsonschema.Draft202012Validator(load_schema("manifest"), registry=registry)
    for document in yaml.safe_load_all(REFERENCE.read_text(encoding="utf-8")):
        validator.validate(document)
    assert not validator.is_valid({"apiVersion": "runyard.dev/v1", "kind": "Tenant", "metadata": {"name": "A"}})
    assert not validator.is_valid({"apiVersion": "v1", "kind": "Pod"})


def test_annotations_are_known_on_the_right_object() -> None:
    on_service, on_template = known_annotations()
    assert "runyard.dev/uses" in on_service - on_template
    assert "autoscaling.knative.dev/min-scale" in on_template - on_service

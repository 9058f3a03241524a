"""ConfigMaps and Secrets among the manifests: what they hold, and what is told about them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.model import Values

SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: shop}
spec: {template: {spec: {containers: [{image: shop/web:1}]}}}
"""


def read(tmp_path: Path, text: str) -> tuple[tuple[Values, ...], list[str]]:
    file = tmp_path / "a.yaml"
    file.write_text(f"{SERVICE}---\n{text}", encoding="utf-8")
    loaded = load([file])
    return loaded.manifests.values, [each.rule for each in loaded.warnings]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_config_map_holds_its_text_and_what_is_base64(tmp_path: Path) -> None:
    text = f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: shop, uid: 1-2}}
immutable: true
data: {{colour: green, app.properties: "a=1\\nb=2\\n"}}
binaryData: {{motto: "{encoded("größe".encode())}"}}
"""
    held, told = read(tmp_path, text)
    data = {"motto": "größe", "colour": "green", "app.properties": "a=1\nb=2\n"}
    assert held == (Values("configMap", "shop", "settings", data),)
    assert told == []


def test_secret_holds_plain_text_before_base64_and_is_told_to_be_open(tmp_path: Path) -> None:
    text = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: db}}
type: Opaque
data:
  user: {encoded(b"me")}
  password: |
    {encoded(b"first")}
stringData: {{password: second}}
"""
    held, told = read(tmp_path, text)
    assert held == (Values("secret", "default", "db", {"user": "me", "password": "second"}),)
    assert told == ["values.open"]
    assert "second" not in repr(held)


def test_secret_without_values_and_documents_of_two_kinds_and_one_name_are_no_problem(tmp_path: Path) -> None:
    both = "".join(f"---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: app}}\n" for kind in ("Secret", "ConfigMap"))
    held, told = read(tmp_path, both)
    assert [(each.source, each.name, each.data) for each in held] == [("configMap", "app", {}), ("secret", "app", {})]
    assert told == []


@pytest.mark.parametrize(
    "value", ["not base64!", "c2VjcmV", base64.b64encode(b"\xff\xfe").decode(), base64.b64encode(b"a\0b").decode()]
)
def test_value_that_is_no_text_is_refused_without_being_shown(tmp_path: Path, value: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, f'apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\ndata: {{password: "{value}"}}\n')
    error = next(each for each in caught.value.problems if each.severity == "error")
    assert (error.path, error.message) == ("data.password", "must be base64 of text in UTF-8, got [hidden]")
    assert value not in str(caught.value)

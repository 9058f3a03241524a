"""Command `validate`: exit codes, streams and forms."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runyard.cli.main import main

GOOD = (
    "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: shop}\n"
    "spec: {template: {spec: {containers: [{image: 'a:1'}]}}}\n"
)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(GOOD)
    Path("warned.yaml").write_text(GOOD.replace("name: shop", "name: shop, uid: x"))
    Path("bad.yaml").write_text(GOOD.replace("name: shop", "name: Shop, uid: x"))


def test_valid_manifest_ends_with_0_and_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "good.yaml"]) == 0
    assert capsys.readouterr() == ("valid: 1 service\n", "")


def test_warnings_go_to_stderr_and_fail_only_when_strict(capsys: pytest.CaptureFixture[str]) -> None:
    warning = "warned.yaml:3:24: warning: metadata.uid: kept, has no effect here\n"
    assert main(["validate", "warned.yaml"]) == 0
    assert capsys.readouterr() == ("valid: 1 service\n", warning)
    assert main(["validate", "--strict-warnings", "warned.yaml"]) == 2
    assert capsys.readouterr().err == warning
    assert main(["validate", "--strict-warnings", "good.yaml"]) == 0


def test_problems_go_to_stderr_and_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "bad.yaml", "gone.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["bad.yaml:3:18", "bad.yaml:3:24", "gone.yaml:1:1"]


@pytest.mark.parametrize(("file", "code", "count"), [("good.yaml", 0, 0), ("warned.yaml", 0, 1), ("bad.yaml", 2, 2)])
def test_json_alone_is_on_stdout(file: str, code: int, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-o", "json", file]) == code
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (err, report["schemaVersion"], report["valid"]) == ("", 1, code == 0)
    assert len(report["problems"]) == count


def test_sarif_alone_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--output", "sarif", "bad.yaml"]) == 2
    out, err = capsys.readouterr()
    assert (err, json.loads(out)["version"]) == ("", "2.1.0")


def test_no_path_and_an_unknown_form_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 2
    assert main(["validate", "-o", "xml", "good.yaml"]) == 2
    assert "Missing argument" in capsys.readouterr().err


def test_file_name_that_is_not_utf_8_is_refused_and_told_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"\xff.yaml")
    Path(name).write_text("a: 1\n")
    assert main(["validate", name]) == 2
    assert capsys.readouterr().err.startswith("\\udcff.yaml:1:1: must have a printable name")

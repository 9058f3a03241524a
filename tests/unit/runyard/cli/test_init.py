from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from runyard.cli.main import main
from runyard.manifest import load
from runyard.pulumi.project import find_project
from runyard.pulumi.settings import read_manifests
from tests.unit.checkout import ROOT


def test_init_writes_a_project_whose_manifests_load_and_whose_paths_lead_to_the_checkout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "a b"
    assert main(["init", str(made)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: cd '{made}' && runyard up"
    assert find_project(str(made)) == str(made)
    assert os.readlink(made / ".runyard") == str(ROOT)
    loaded = load([made / read_manifests(made, "dev")])
    assert [each.name for each in loaded.manifests.services] == ["hello"]
    assert loaded.warnings == ()
    ours, theirs = (yaml.safe_load((each / "Pulumi.yaml").read_text()) for each in (ROOT, made))
    # What Runyard's own project has, seen through the link.
    for kind, each in ((kind, each) for kind, listed in ours["plugins"].items() for each in listed):
        assert {**each, "path": f".runyard/{each['path']}"} in theirs["plugins"][kind]
    assert theirs["main"] == f".runyard/{ours['main']}"
    assert theirs["runtime"]["options"]["virtualenv"] == f".runyard/{ours['runtime']['options']['virtualenv']}"
    assert (theirs["name"], theirs["stackConfigDir"]) == (ours["name"], ours["stackConfigDir"])


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("ours\n")
    (tmp_path / ".gitignore").write_text("*.log")
    assert main(["init", str(tmp_path), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kept"], "Pulumi.yaml" in told["made"]) == (["README.md"], True)
    assert (tmp_path / "README.md").read_text() == "ours\n"
    assert (tmp_path / ".gitignore").read_text().splitlines()[0] == "*.log"
    assert "/.runyard" in (tmp_path / ".gitignore").read_text().splitlines()
    assert main(["init", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: init: {tmp_path}/Pulumi.yaml is there already, and nothing is overwritten\n"
    )


def test_init_where_nothing_can_be_written_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifests").touch()
    assert main(["init", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: init: write {tmp_path}/manifests/hello.yaml: File exists\n"
    # It is no project yet, so it can be begun anew.
    assert find_project(str(tmp_path)) is None

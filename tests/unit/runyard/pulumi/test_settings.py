from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.pulumi.settings import read_manifests

PROJECT = "name: runyard\nconfig:\n  runyard:manifests:\n    value: manifests\n"


@pytest.mark.parametrize(
    ("own", "found"),
    [
        (None, "manifests"),
        ("encryptionsalt: v1:x\n", "manifests"),
        ("config:\n  runyard:manifests: a,b\n", "a,b"),
        ("config: []\n", "manifests"),
    ],
)
def test_a_stacks_own_manifests_count_before_the_projects(tmp_path: Path, own: str | None, found: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "stacks").mkdir()
    if own is not None:
        (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(own)
    assert read_manifests(tmp_path, "dev") == found
    assert read_manifests(tmp_path, "prod") == "manifests"


def test_without_a_setting_there_are_none(tmp_path: Path) -> None:
    assert read_manifests(tmp_path, "dev") == ""


def test_settings_that_are_no_yaml_are_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("config: [\n")
    with pytest.raises(UsageError, match=rf"^read the settings in {tmp_path}/Pulumi\.yaml: while parsing"):
        read_manifests(tmp_path, "dev")

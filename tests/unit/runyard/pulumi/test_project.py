from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.pulumi import project
from tests.unit.checkout import ROOT


def make(directory: Path, name: str = "runyard") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Pulumi.yaml").write_text(f"# Ours.\nname: {name}\nruntime: python\n")
    return directory


def test_checkout_is_where_this_package_lies() -> None:
    assert project.find_checkout() == str(ROOT)


def test_project_is_the_nearest_upwards_and_none_of_another_name(tmp_path: Path) -> None:
    outer = make(tmp_path / "a b")
    inner = make(outer / "c" / "d", "website") / "e"
    inner.mkdir()
    assert project.find_project(str(inner)) == str(outer)
    assert project.find_project(str(tmp_path)) is None


def test_project_whose_settings_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_bytes(b"\xff\xfe")
    assert project.find_project(str(tmp_path)) is None


def test_policy_pack_is_beside_the_program_or_behind_the_link_and_tells_the_project(tmp_path: Path) -> None:
    team = make(tmp_path / "team")
    assert project.policy_pack(str(team)) == "policies"
    project.link_checkout(str(team), str(ROOT))
    assert project.policy_pack(str(team)) == ".runyard/policies"
    assert project.project_of_pack(f"{team}/.runyard/policies/") == str(team)
    assert project.project_of_pack(f"{ROOT}/policies") == str(ROOT)


def test_link_follows_the_checkout_and_is_not_made_in_it(tmp_path: Path) -> None:
    team, moved = make(tmp_path / "team"), make(tmp_path / "moved")
    project.link_checkout(str(team), str(moved))
    project.link_checkout(str(team), str(ROOT))
    project.link_checkout(str(team), str(ROOT))
    assert os.readlink(team / ".runyard") == str(ROOT)
    assert sorted(each.name for each in team.iterdir()) == [".runyard", "Pulumi.yaml"]
    project.link_checkout(str(moved), str(moved))
    assert not (moved / ".runyard").exists()


def test_link_leaves_what_is_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / ".runyard").mkdir()
    with pytest.raises(UsageError) as caught:
        project.link_checkout(str(tmp_path), str(ROOT))
    assert str(caught.value) == (
        f"{tmp_path}/.runyard: must be Runyard's link to its checkout, and is something else: move it away"
    )


def test_link_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"/none/\.runyard to .*: No such file or directory$"):
        project.link_checkout(str(tmp_path / "none"), str(ROOT))


def test_paths_of_a_setting_are_from_the_project_on() -> None:
    assert project.split_paths("a b, /c,,d/*.yaml", "/p") == ["/p/a b", "/c", "/p/d/*.yaml"]


def installed(tmp_path: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Ask a copy of the package, as `pip install SOURCE` leaves it, for the checkout."""
    site = tmp_path / "site"
    for name in ("__init__.py", "errors.py", "pulumi/__init__.py", "pulumi/backend.py", "pulumi/project.py"):
        copy = site / "runyard" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "runyard" / name, copy)
    about = site / "runyard-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: runyard\nVersion: 0\n")
    (about / "direct_url.json").write_text(json.dumps({"url": source.as_uri(), "dir_info": {}}))
    code = "from runyard.pulumi.project import find_checkout; print(find_checkout())"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-S", "-P", "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_installed_package_finds_the_checkout_that_it_came_from(tmp_path: Path) -> None:
    source = tmp_path / "a checkout"
    (source / "toolchain").mkdir(parents=True)
    (source / "toolchain" / "bootstrap").touch()
    assert installed(tmp_path, source).stdout == f"{source}\n"


def test_installed_package_whose_checkout_is_gone_says_the_way_out(tmp_path: Path) -> None:
    done = installed(tmp_path, tmp_path / "gone")
    assert f"find Runyard's checkout: must be at {tmp_path}/gone, which has no toolchain/bootstrap" in done.stderr

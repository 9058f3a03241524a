"""Package: what pre-commit installs of this checkout, built without a network, runs its hook."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.unit.checkout import ROOT

# As pip does it without isolation; what it prints is of no use here.
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
SCHEMAS = [
    *("configmap.json", "manifest.json", "platform.json", "pricebook.json", "secret.json", "service.json"),
    *("tenant.json", "workload.json"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel of a copy of the sources, and unpack it where nothing else of the checkout is."""
    source, wheels, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "installed"))
    shutil.copy2(ROOT / "pyproject.toml", source)
    for name in ("runyard", "manifests"):
        # Links stay links, as git checks them out.
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-c", BUILD, str(wheels)], cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("runyard-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target)
    return target


def validate(installed: Path, *manifests: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, *arguments = hook["entry"].split()
    assert program == "runyard"
    return subprocess.run(
        [sys.executable, "-P", "-m", "runyard.cli.main", *arguments, *(manifests or hook["args"])],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_installed_hook_passes_a_repository_of_manifests(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    shutil.copy2(ROOT / "manifests" / "hello.yaml", tmp_path / "manifests")
    done = validate(installed, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "valid: 1 service\n", "")


def test_installed_hook_tells_a_problem_of_every_kind_of_document(installed: Path, tmp_path: Path) -> None:
    kinds = {"Service": "serving.knative.dev/v1"} | dict.fromkeys(("Platform", "Tenant", "PriceBook"), "runyard.dev/v1")
    for kind, api in kinds.items():
        (tmp_path / f"{kind}.yaml").write_text(f"apiVersion: {api}\nkind: {kind}\nwrong: true\n")
        done = validate(installed, f"{kind}.yaml", cwd=tmp_path)
        assert done.returncode == 2
        assert f"{kind}.yaml:3:1: wrong: unknown key" in done.stderr


def test_wheel_has_the_schemas_that_editors_find_in_the_checkout(installed: Path) -> None:
    published, packed = ROOT / "manifests" / "schema", installed / "runyard" / "manifest" / "schemas"
    assert sorted(each.name for each in packed.iterdir()) == SCHEMAS
    assert [(packed / name).read_bytes() for name in SCHEMAS] == [(published / name).read_bytes() for name in SCHEMAS]

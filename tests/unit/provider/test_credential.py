"""Credentials for registries, as clients of Docker keep them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from provider.credential import load_credentials, registry_of
from runyard.errors import HostError

HUB_KEY = f"https://index.{registry_of('hello')}/v1/"
AUTH = base64.b64encode(b"alice:s3:cret").decode()


def load(directory: Path, config: Any, image: str = "registry.test/shop:1", told: str | None = None) -> Any:
    (directory / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    asked: list[tuple[str, str]] = []

    def run(helper: str, registry: str) -> str:
        asked.append((helper, registry))
        return told or ""

    found = load_credentials(image, {"DOCKER_CONFIG": str(directory)}, run)
    return (json.loads(base64.urlsafe_b64decode(found)) if found else None), asked


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("hello", "docker.io"),
        ("library/hello:1", "docker.io"),
        ("registry.test/hello:1", "registry.test"),
        ("localhost/hello", "localhost"),
        ("127.0.0.1:5000/hello@sha256:abc", "127.0.0.1:5000"),
    ],
)
def test_registry_is_what_stands_before_the_first_slash_if_that_can_be_a_host(image: str, registry: str) -> None:
    assert registry_of(image) == registry


def test_password_of_the_configuration_is_given_as_the_engine_takes_it(tmp_path: Path) -> None:
    found, _ = load(tmp_path, {"auths": {"registry.test": {"auth": AUTH}}})
    assert found == {"username": "alice", "password": "s3:cret", "serveraddress": "registry.test"}


@pytest.mark.parametrize("key", ["https://registry.test", "https://registry.test/v1/"])
def test_registry_may_be_kept_under_an_older_spelling(tmp_path: Path, key: str) -> None:
    assert load(tmp_path, {"auths": {key: {"auth": AUTH}}})[0]["username"] == "alice"


def test_image_without_a_registry_comes_from_the_hub(tmp_path: Path) -> None:
    found, _ = load(tmp_path, {"auths": {HUB_KEY: {"identitytoken": "t"}}}, "hello:1")
    assert found == {"identitytoken": "t", "serveraddress": HUB_KEY}


def test_helper_of_a_registry_is_asked_before_the_store_of_all(tmp_path: Path) -> None:
    config = {"credHelpers": {"registry.test": "cloud"}, "credsStore": "desktop", "auths": {}}
    found, asked = load(tmp_path, config, told='{"Username": "bob", "Secret": "x"}')
    assert (found["username"], found["password"], asked) == ("bob", "x", [("cloud", "registry.test")])
    found, asked = load(tmp_path, config, "other.test/shop", told='{"Username": "<token>", "Secret": "x"}')
    assert (found["identitytoken"], asked) == ("x", [("desktop", "other.test")])


@pytest.mark.parametrize("config", [{}, {"auths": {"other.test": {"auth": AUTH}}}, {"credsStore": "desktop"}])
def test_registry_without_credentials_is_asked_without(tmp_path: Path, config: Any) -> None:
    assert load(tmp_path, config)[0] is None


def test_client_without_a_configuration_has_no_credentials(tmp_path: Path) -> None:
    assert load_credentials("shop", {"HOME": str(tmp_path)}) == ""


@pytest.mark.parametrize("config", ["{", "[]"])
def test_configuration_that_cannot_be_read_is_named(tmp_path: Path, config: str) -> None:
    with pytest.raises(HostError, match=rf"^read credentials for registries in {tmp_path}/config\.json: "):
        load(tmp_path, config)


def test_password_that_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(HostError) as raised:
        load(tmp_path, {"auths": {"registry.test": {"auth": "c2VjcmV0"}}})
    assert str(raised.value) == "read credentials for registry.test: auth must be base64 of user:password"


def test_helper_that_gives_something_else_is_named_and_its_answer_is_not(tmp_path: Path) -> None:
    with pytest.raises(HostError) as raised:
        load(tmp_path, {"credsStore": "desktop"}, told='{"Secret": "x"}')
    assert str(raised.value) == "ask docker-credential-desktop for registry.test: it gave no user and secret"


def helper(directory: Path, script: str) -> dict[str, str]:
    program = directory / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (directory / "config.json").write_text('{"credsStore": "test"}')
    return {"DOCKER_CONFIG": str(directory)}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_helper_is_run_with_the_registry_on_its_standard_input(path: Path) -> None:
    environment = helper(path, """[ "$1" = get ] && printf '{"Username":"%s","Secret":"x"}' "$(cat)\"""")
    found = json.loads(base64.urlsafe_b64decode(load_credentials("registry.test/a", environment)))
    assert found["username"] == "registry.test"


def test_helper_that_has_nothing_for_a_registry_is_no_error(path: Path) -> None:
    environment = helper(path, "echo 'credentials not found in native keychain'; exit 1")
    assert load_credentials("registry.test/a", environment) == ""


def test_helper_that_fails_says_why(path: Path) -> None:
    environment = helper(path, "echo 'the keychain is locked'; exit 1")
    with pytest.raises(HostError, match=r"^ask docker-credential-test for registry\.test: the keychain is locked$"):
        load_credentials("registry.test/a", environment)


def test_helper_that_is_not_there_is_named(path: Path) -> None:
    environment = helper(path, "")
    (path / "docker-credential-test").unlink()
    with pytest.raises(HostError, match=r"^ask docker-credential-test for registry\.test: it is not on the PATH$"):
        load_credentials("registry.test/a", environment)

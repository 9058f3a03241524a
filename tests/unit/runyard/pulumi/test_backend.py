"""Backend: where Pulumi's file backend keeps things, by the addresses that it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.pulumi import backend


@pytest.mark.parametrize(
    ("address", "directory"),
    [
        ("file:///var/state?metadata=skip", "/var/state"),
        ("file:///with%20blank", "/with blank"),
        ("file://~", "/home/me"),
        ("file://~/state", "/home/me/state"),
        ("file://elsewhere/state", ""),
        ("s3://bucket/s", ""),
        ("https://api.pulumi.example", ""),
        ("", ""),
    ],
)
def test_directory_is_that_of_a_file_backend_of_this_machine(
    address: str, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert backend.backend_directory(address) == directory


@pytest.mark.parametrize("name", ["plain", "with blank", "a%41b", "is it?", "#1"])
def test_address_of_a_directory_leads_back_to_it(tmp_path: Path, name: str) -> None:
    assert backend.backend_directory(backend.file_backend(tmp_path / name)) == str(tmp_path / name)


def test_state_file_is_named_only_where_it_is(tmp_path: Path) -> None:
    address = backend.file_backend(str(tmp_path))
    assert backend.state_file(address, "dev") == ""
    file = tmp_path / ".pulumi/stacks/runyard/dev.json"
    file.parent.mkdir(parents=True)
    file.touch()
    assert backend.state_file(address, "dev") == str(file)
    assert backend.state_file("s3://bucket", "dev") == ""


def test_backend_is_the_environments_or_the_users_own() -> None:
    assert backend.backend_of({"HOME": "/h"}) == "file:///h/.local/share/runyard/state?metadata=skip"
    assert backend.backend_of({"PULUMI_BACKEND_URL": "s3://b"}) == "s3://b"
    assert backend.passphrase_file({"HOME": "/h"}) == "/h/.local/share/runyard/passphrase"
    assert backend.passphrase_file({"PULUMI_CONFIG_PASSPHRASE_FILE": "/p"}) == "/p"
    assert backend.lock_directory("file:///s", "dev") == "/s/.pulumi/locks/organization/runyard/dev"
    assert backend.lock_directory("s3://b", "dev") == ""


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"HOME": "/h"}, "/h/.local/share/runyard"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "/x/runyard"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x", "RUNYARD_DATA": "/d"}, "/d"),
    ],
)
def test_data_is_where_the_user_or_the_xdg_specification_says(environment: dict[str, str], directory: str) -> None:
    assert backend.data_directory(environment) == directory


def test_stacks_of_a_file_backend_are_listed_by_name_and_those_of_another_are_not_known(tmp_path: Path) -> None:
    address = backend.file_backend(str(tmp_path))
    assert backend.list_stacks(address) == []
    directory = tmp_path / ".pulumi/stacks/runyard"
    directory.mkdir(parents=True)
    for name in ("prod.json", "dev.json", "dev.json.bak", "dev.json.attrs"):
        (directory / name).touch()
    assert backend.list_stacks(address) == ["dev", "prod"]
    assert backend.list_stacks("s3://bucket") is None

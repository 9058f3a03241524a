from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import backend


@pytest.mark.parametrize(
    ("address", "directory"),
    [
        ("file:///s?metadata=skip", "/s/.pulumi"),
        ("file://~/s", "/home/me/s/.pulumi"),
        ("s3://bucket/s", ""),
        ("https://api.pulumi.example", ""),
        ("", ""),
    ],
)
def test_directory_is_that_of_a_file_backend(address: str, directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert backend.backend_directory(address) == directory


def test_state_file_is_named_only_where_it_is(tmp_path: Path) -> None:
    address = backend.file_backend(str(tmp_path))
    assert backend.state_file(address, "dev") == ""
    file = tmp_path / ".pulumi/stacks/runyard/dev.json"
    file.parent.mkdir(parents=True)
    file.touch()
    assert backend.state_file(address, "dev") == str(file)
    assert backend.state_file("s3://bucket", "dev") == ""


def test_backend_is_the_environments_or_the_checkouts_own() -> None:
    assert backend.backend_of({}, "/c") == "file:///c/.runyard/state?metadata=skip"
    assert backend.backend_of({"PULUMI_BACKEND_URL": "s3://b"}, "/c") == "s3://b"
    assert backend.passphrase_file({}, "/c") == "/c/.runyard/passphrase"
    assert backend.passphrase_file({"PULUMI_CONFIG_PASSPHRASE_FILE": "/p"}, "/c") == "/p"
    assert backend.lock_directory("file:///s", "dev") == "/s/.pulumi/locks/organization/runyard/dev"
    assert backend.lock_directory("s3://b", "dev") == ""

"""Passphrases and the salts that Pulumi 3.259.0 wrote for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runyard.errors import ContractError, UsageError
from runyard.pulumi.passphrase import opens, read_passphrase, salt_of_settings, salt_of_state

PASSPHRASE = "correct horse battery staple"
# Of `pulumi stack init`, with that passphrase.
SALT = "v1:WDDg1A/Gaok=:v1:CzovIYgucdb/UhgL:lrQ8V3PoL63pEWT+14nnF4XWt0v/sA=="


def state(provider: object) -> str:
    return json.dumps({"version": 3, "checkpoint": {"latest": {"secrets_providers": provider}}})


def test_passphrase_opens_its_own_salt_alone() -> None:
    assert opens(PASSPHRASE, SALT)
    assert not opens(f"{PASSPHRASE}.", SALT)
    assert opens("any", "")


@pytest.mark.parametrize("salt", ["v1:a", "v2:WDDg1A/Gaok=:v1:CzovIYgucdb/UhgL:lrQ8", "v1:====:v1:x:y"])
def test_salt_of_another_form_is_an_error(salt: str) -> None:
    with pytest.raises(ContractError, match=r"^read the salt of the stack's secrets: "):
        opens(PASSPHRASE, salt)


def test_salts_are_found_where_pulumi_has_them() -> None:
    assert salt_of_state(state({"type": "passphrase", "state": {"salt": SALT}})) == SALT
    assert salt_of_state(state({"type": "cloud", "state": {"url": "x"}})) == ""
    assert salt_of_state(json.dumps({"checkpoint": {}})) == ""
    assert salt_of_settings(f"encryptionsalt: {SALT}\n") == SALT
    assert salt_of_settings("config: {}\n") == salt_of_settings("") == ""


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"checkpoint": {"latest": {"secrets_providers": {"type": "passphrase"}}}}']
)
def test_state_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ContractError, match=r"^read the stack's state: "):
        salt_of_state(text)


@pytest.mark.parametrize("text", ["a: [", "- a\n"])
def test_settings_that_are_none_are_an_error(text: str) -> None:
    with pytest.raises(ContractError, match=r"^read the stack's settings: "):
        salt_of_settings(text)


def test_passphrase_is_the_environments_or_its_files(tmp_path: Path) -> None:
    environment = {"RUNYARD_DATA": str(tmp_path)}
    assert read_passphrase(environment) is None
    (tmp_path / "passphrase").write_text("of the file\n")
    assert read_passphrase(environment) == "of the file"
    assert read_passphrase({**environment, "PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match=r"^read the passphrase in .*/other: "):
        read_passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "other")})

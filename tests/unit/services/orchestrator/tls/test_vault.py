"""The vault: files of one user, whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from runyard.errors import UsageError
from services.orchestrator.model.pair import Pair
from services.orchestrator.tls.vault import Vault

PAIR = Pair("chain", "key")


def test_pair_is_kept_in_a_file_for_one_user(tmp_path: Path) -> None:
    Vault(tmp_path / "tls").put("given", "*.example.com", PAIR)
    (file,) = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file.parent, file.parent.parent)] == [0o700, 0o700]
    vault = Vault(tmp_path / "tls")
    assert vault.get("given", "*.example.com") == PAIR
    assert list(vault.all("given")) == [("*.example.com", PAIR)]
    assert list(vault.all("other")) == []


def test_pair_is_replaced_and_forgotten(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.put("given", "a", PAIR)
    vault.put("given", "a", Pair("new", "key"))
    assert vault.get("given", "a") == Pair("new", "key")
    vault.delete("given", "a")
    vault.delete("given", "a")
    assert vault.get("given", "a") is None


def test_what_a_kill_left_is_no_pair(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.put("given", "a", PAIR)
    (tmp_path / "given" / "a.json.draft").write_text('{"chain": "ha')
    (tmp_path / "given" / "b.json").write_text("")
    assert list(vault.all("given")) == [("a", PAIR)]
    assert not (tmp_path / "given" / "a.json.draft").exists()
    vault.put("given", "b", PAIR)
    assert vault.get("given", "b") == PAIR


@pytest.mark.parametrize("name", ["", "..", "../a", "a/b", "a..b", "A", ".a", "a.", "*", "a\n"])
def test_name_that_is_no_host_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="must be a host or a DNS label"):
        Vault(tmp_path).put("given", name, PAIR)

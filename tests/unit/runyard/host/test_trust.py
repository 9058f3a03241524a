"""Command `trust`: what is written where, and what is told when it cannot be."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from runyard.cli.main import main
from runyard.errors import HostError, UsageError
from runyard.host.trust import TrustStore, find_store, install_authority, remove_authority


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    """A store whose command writes down what it found."""
    (tmp_path / "anchors").mkdir()
    script = f"cat {tmp_path}/anchors/* > {tmp_path}/bundle 2>/dev/null || true"
    return TrustStore(tmp_path / "anchors", ("sh", "-c", script))


def test_authority_is_installed_by_stack_and_the_bundle_made_anew(store: TrustStore, tmp_path: Path) -> None:
    path = install_authority(store, "dev", "first\n")
    install_authority(store, "prod", "other\n")
    assert path == tmp_path / "anchors" / "runyard-dev.crt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert install_authority(store, "dev", "second\n") == path
    assert (tmp_path / "bundle").read_text() == "second\nother\n"


def test_removal_undoes_it_and_is_no_error_twice(store: TrustStore, tmp_path: Path) -> None:
    path = install_authority(store, "dev", "first\n")
    assert remove_authority(store, "dev") == path
    assert (tmp_path / "bundle").read_text() == ""
    assert remove_authority(store, "dev") is None


def test_store_that_cannot_be_written_is_told_with_its_path(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "missing", ("true",))
    with pytest.raises(UsageError, match=rf"^trust: change {tmp_path}/missing/runyard-dev\.crt: No such file"):
        install_authority(store, "dev", "x")
    (tmp_path / "runyard-dev.crt").mkdir()
    with pytest.raises(UsageError, match=r"^trust: change .*runyard-dev\.crt: Is a directory"):
        remove_authority(TrustStore(tmp_path, ("true",)), "dev")


def test_command_that_fails_or_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"^trust: run sh -c echo no >&2; exit 3: no$"):
        install_authority(TrustStore(tmp_path, ("sh", "-c", "echo no >&2; exit 3")), "dev", "x")
    with pytest.raises(HostError, match=r"^trust: run /missing/command: "):
        install_authority(TrustStore(tmp_path, ("/missing/command",)), "dev", "x")


def test_first_store_that_is_there_is_used_and_none_tells_the_way(tmp_path: Path) -> None:
    missing, there = TrustStore(tmp_path / "a", ()), TrustStore(tmp_path, ("true",))
    assert find_store((missing, there)) == there
    with pytest.raises(UsageError, match=r"(?s)no trust store of this system is known .*security add-trusted-cert"):
        find_store((missing,))


@pytest.mark.parametrize("stack", ["../x", "A", ""])
def test_stack_that_is_no_label_names_no_file(store: TrustStore, stack: str) -> None:
    with pytest.raises(UsageError, match=r"^trust: stack must be a DNS label, got "):
        install_authority(store, stack, "x")


def test_print_and_remove_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "--print", "--remove"]) == 2
    assert "must be given --print or --remove, got both" in capsys.readouterr().err

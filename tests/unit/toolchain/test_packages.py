from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain.packages import FOR_TESTS, Packages
from toolchain.step import Steps

root_alone = pytest.mark.skipif(os.geteuid() != 0, reason="only root installs")


@pytest.fixture
def subject(steps: Steps, variables: dict[str, str], tmp_path: Path) -> Packages:
    return Packages(steps, variables, systemd=tmp_path / "systemd")


def test_installed_packages_cost_a_look(subject: Packages, program: WriteProgram, words: io.StringIO) -> None:
    program("dpkg-query", "printf installed")
    program("apt-get", "exit 1")
    subject.bring(FOR_TESTS)
    assert words.getvalue() == ""


@root_alone
def test_missing_packages_alone_are_installed(
    subject: Packages, program: WriteProgram, programs: Path, words: io.StringIO
) -> None:
    program("dpkg-query", 'case "$3" in nginx) printf installed;; *) exit 1;; esac')
    program("apt-get", f'echo "$@" >> {programs}/asked')
    subject.bring(["nginx", "wrk"])
    assert (programs / "asked").read_text().splitlines() == ["update", "install -y --no-install-recommends wrk"]
    assert "packages: install wrk from the distribution" in words.getvalue()


@root_alone
def test_server_that_a_package_started_is_stopped(
    subject: Packages, program: WriteProgram, programs: Path, tmp_path: Path
) -> None:
    (tmp_path / "systemd").mkdir()
    program("dpkg-query", "exit 1")
    program("apt-get", "exit 0")
    program("systemctl", f'echo "$@" >> {programs}/asked')
    subject.bring(["nginx", "wrk"])
    assert (programs / "asked").read_text() == "disable --now nginx\n"


def test_machine_without_apt_is_told_what_is_missing(subject: Packages, program: WriteProgram) -> None:
    program("dpkg-query", "exit 1")
    with pytest.raises(ToolchainError) as raised:
        subject.bring(["nginx", "wrk"])
    assert str(raised.value) == (
        "packages: nginx, wrk: not installed, and only root on Debian or Ubuntu can be helped\n"
        "  as root: apt-get install nginx wrk"
    )

"""The launcher's verbs for instances with volumes: hold what is there, and prepare what is to be mounted."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness.waiting import PATIENCE_S
from tests.unit.services.launcher.program import Launcher


def prepare(launcher: Launcher, *paths: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [launcher.binary, "prepare", *map(str, paths)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode, done.stderr


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    made = tmp_path / "volume"
    made.mkdir()
    made.chmod(0o755)
    return made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_holder_stays_until_it_is_told_to_stop(launcher: Launcher, number: signal.Signals) -> None:
    process = subprocess.Popen([launcher.binary, "hold"], stdin=subprocess.DEVNULL)
    # One that did not hold would be gone long before this.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 0


def test_directories_are_made_for_everybody(launcher: Launcher, volume: Path) -> None:
    assert prepare(launcher, volume, "a/b", "c") == (0, "")
    assert [mode(volume / each) for each in ("a", "a/b", "c")] == [0o1777] * 3


def test_what_is_there_is_left_as_it_is(launcher: Launcher, volume: Path) -> None:
    (volume / "a").mkdir(mode=0o700)
    (volume / "a" / "kept").write_text("x")
    volume.chmod(0o750)
    assert prepare(launcher, volume, "a/b") == (0, "")
    assert [mode(each) for each in (volume, volume / "a")] == [0o750, 0o700]
    assert (volume / "a" / "kept").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="a new volume is root's")
def test_new_volume_is_opened_for_everybody(launcher: Launcher, volume: Path) -> None:
    assert prepare(launcher, volume) == (0, "")
    assert mode(volume) == 0o1777


@pytest.mark.parametrize("at", ["link", "link/b", "a/link"])
def test_link_is_not_followed(launcher: Launcher, volume: Path, tmp_path: Path, at: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (volume / "a").mkdir()
    for place in (volume, volume / "a"):
        (place / "link").symlink_to(outside)
    code, told = prepare(launcher, volume, at)
    assert (code, told) == (125, f"launch: prepare {volume}: directory {at}: not a directory\n")
    assert list(outside.iterdir()) == []


def test_file_in_the_way_is_told(launcher: Launcher, volume: Path) -> None:
    (volume / "a").write_text("x")
    assert prepare(launcher, volume, "a") == (125, f"launch: prepare {volume}: directory a: not a directory\n")


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "a//b", "a/", ".", ""])
def test_path_that_is_not_plain_is_refused(launcher: Launcher, volume: Path, path: str) -> None:
    code, told = prepare(launcher, volume, path)
    assert (code, told) == (125, f'launch: prepare: paths must be plain, got "{path}"\n')


def test_directory_of_no_volume_is_refused(launcher: Launcher) -> None:
    assert prepare(launcher, "a") == (125, 'launch: prepare: the first path must be absolute, got "a"\n')


@pytest.mark.parametrize("arguments", [[], ["hold", "x"], ["prepare"], ["other"]])
def test_what_is_no_verb_is_told(launcher: Launcher, arguments: list[str]) -> None:
    done = subprocess.run([launcher.binary, *arguments], capture_output=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, b"must be called as" in done.stderr) == (125, True)

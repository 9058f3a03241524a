"""What the launcher takes from its standard input, and what it refuses."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from tests.harness.programs import build_go
from tests.harness.waiting import PATIENCE_S
from tests.unit.services.launcher.program import SOURCE, Launcher, delivery, file

SECRET = "hunter2-7f3a"


def test_variables_replace_those_of_the_container_and_leave_the_rest(launcher: Launcher) -> None:
    ended = launcher.run("env", given=delivery({"TOKEN": "a=b\nc", "GREETING": SECRET}))
    assert sorted(ended.out.splitlines()) == sorted(["PATH=/usr/bin:/bin", "TOKEN=a=b", "c", f"GREETING={SECRET}"])


def test_nothing_delivered_is_the_containers_own_environment(launcher: Launcher) -> None:
    assert launcher.run("env", given=b"{}").out == "PATH=/usr/bin:/bin\nGREETING=from the container\n"


def test_files_have_their_content_and_mode_whatever_the_umask(launcher: Launcher, tmp_path: Path) -> None:
    files = [file(tmp_path / "a/b/token", b"\x00\xff", 0o400), file(tmp_path / "all", b"x", 0o666)]
    assert launcher.run("true", given=delivery(None, *files)).code == 0
    assert (tmp_path / "a/b/token").read_bytes() == b"\x00\xff"
    modes = [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a/b/token", "all", "a", "a/b")]
    assert modes == [0o400, 0o666, 0o755, 0o755]


def test_file_that_is_there_is_replaced(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("before, and longer")
    (tmp_path / "token").chmod(0o600)
    assert launcher.run("true", given=delivery(None, file(tmp_path / "token", b"after"))).code == 0
    assert (tmp_path / "token").read_text() == "after"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o444


def test_link_that_is_there_is_replaced_and_not_followed(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "token").symlink_to("elsewhere")
    assert launcher.run("true", given=delivery(None, file(tmp_path / "token", b"after"))).code == 0
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert not (tmp_path / "token").is_symlink()


def test_files_are_written_before_the_command_runs(launcher: Launcher, tmp_path: Path) -> None:
    given = delivery(None, file(tmp_path / "token", SECRET.encode()))
    assert launcher.run("cat", str(tmp_path / "token"), given=given).out == SECRET


def test_delivery_without_files_writes_none_again(launcher: Launcher, tmp_path: Path) -> None:
    """As an exec probe's is."""
    (tmp_path / "token").write_text("as it is")
    assert launcher.run("true", given=delivery({"TOKEN": SECRET})).code == 0
    assert (tmp_path / "token").read_text() == "as it is"


def test_directory_in_the_place_of_a_file_is_told(launcher: Launcher, tmp_path: Path) -> None:
    ended = launcher.run("true", given=delivery(None, file(tmp_path)))
    assert (ended.code, ended.error) == (125, f"launch: replace {tmp_path}: is a directory\n")


def test_file_in_the_place_of_a_directory_is_told(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    ended = launcher.run("true", given=delivery(None, file(tmp_path / "a/b/c")))
    assert (ended.code, ended.error) == (125, f"launch: mkdir {tmp_path}/a/b: not a directory\n")


@pytest.mark.parametrize("path", ["token", "", "/", "/tmp/../etc/passwd", "/tmp/./x", "/tmp//x", "/tmp/x/", "../x"])
def test_path_that_is_not_plainly_absolute_is_refused_before_anything_is_written(
    launcher: Launcher, tmp_path: Path, path: str
) -> None:
    ended = launcher.run("true", given=delivery(None, file(tmp_path / "first"), file(path)), directory=tmp_path)
    rule = "file: path: must be absolute, without . and .. and double slashes"
    assert (ended.code, ended.error) == (125, f'launch: {rule}, got "{path}"\n')
    assert list(tmp_path.iterdir()) == []


def test_mode_with_more_than_permissions_is_refused(launcher: Launcher, tmp_path: Path) -> None:
    ended = launcher.run("true", given=delivery(None, file(tmp_path / "x", mode=0o4755)))
    assert (ended.code, ended.error) == (125, f"launch: file {tmp_path}/x: mode: must be from 0 to 0777, got 04755\n")


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"null",
        b"[]",
        b'"hunter2-7f3a"',
        b'{"environment": {"A": "hunter2-7f3a"}',
        b'{"environment": {"A": 72337}}',
        b'{"environment": "hunter2-7f3a"}',
        b'{"secrets": {"A": "hunter2-7f3a"}}',
        b'{"files": [{"path": "/x", "mode": -72337}]}',
        b'{"files": [{"path": "/x", "mode": 0, "content": "hunter2-7f3a!"}]}',
        b"{} {}",
        b"{} x",
    ],
)
def test_what_is_no_delivery_is_refused_and_not_repeated(launcher: Launcher, given: bytes) -> None:
    ended = launcher.run("true", given=given)
    rule = "standard input: must be one JSON object of environment and files"
    assert (ended.code, ended.error) == (125, f"launch: {rule}, got {len(given)} bytes of something else\n")


def test_delivery_over_eight_mebibytes_is_refused_and_the_longest_is_taken(launcher: Launcher, tmp_path: Path) -> None:
    frame = delivery(None, file(tmp_path / "x"))
    # Base64 comes in fours.
    room = (8 * 1024 * 1024 - len(frame)) // 4 * 4
    longest = frame.replace(b'"content": ""', b'"content": "' + b"A" * room + b'"')
    assert launcher.run("true", given=longest + b" " * (8 * 1024 * 1024 - len(longest))).code == 0
    assert (tmp_path / "x").stat().st_size == room // 4 * 3
    ended = launcher.run("true", given=longest + b" " * (8 * 1024 * 1024 + 1 - len(longest)))
    assert (ended.code, ended.error) == (125, "launch: standard input: must be at most 8388608 bytes\n")


@pytest.mark.parametrize(
    ("variables", "rule"),
    [
        ({"": SECRET}, 'name: must not be empty nor have = or NUL, got ""'),
        ({"A=B": SECRET}, 'name: must not be empty nor have = or NUL, got "A=B"'),
        ({"A": f"{SECRET}\0"}, "A: value must have no NUL"),
    ],
)
def test_variable_that_no_environment_can_hold_is_refused(
    launcher: Launcher, variables: dict[str, str], rule: str
) -> None:
    ended = launcher.run("true", given=delivery(variables))
    assert (ended.code, ended.error) == (125, f"launch: environment: {rule}\n")


def test_value_that_the_kernel_finds_too_long_is_told_without_it(launcher: Launcher) -> None:
    ended = launcher.run("true", given=delivery({"A": SECRET * 20000}))
    assert (ended.code, ended.error) == (126, "launch: run true: argument list too long\n")


def test_delivery_in_pieces_is_taken_whole(launcher: Launcher) -> None:
    process = launcher.start("env")
    assert process.stdin is not None
    for piece in (b'{"environment":', b' {"A"', b': "1"}', b"}"):
        process.stdin.write(piece)
        process.stdin.flush()
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert b"A=1\n" in out


def test_input_that_stays_silent_ends_the_launch_in_time(tmp_path: Path) -> None:
    # The same program with another time, so that nobody waits for ten seconds.
    shutil.copytree(SOURCE, tmp_path / "source")
    source = tmp_path / "source" / "delivery.go"
    text = source.read_text()
    assert "longestSilenceSeconds = 10\n" in text
    source.write_text(text.replace("longestSilenceSeconds = 10\n", "longestSilenceSeconds = 1\n"))
    process = Launcher(build_go(source.parent, tmp_path / "launch")).start("true")
    assert process.stderr is not None
    assert process.wait(PATIENCE_S) == 125
    told = process.stderr.read().decode()
    process.communicate()
    assert told == "launch: standard input: must come and end, got nothing for 1 s\n"


def test_delivery_is_what_the_contract_says() -> None:
    given = json.loads(delivery({"A": "1"}, file("/run/token", b"x")))
    assert given == {"environment": {"A": "1"}, "files": [{"path": "/run/token", "mode": 292, "content": "eA=="}]}

"""What the launcher becomes: the image's own command, as the engine would have started it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness.waiting import PATIENCE_S
from tests.unit.services.launcher.program import VARIABLES, Launcher, delivery

# What a process may have from who started it.
INHERITED = (
    "ulimit -n; ulimit -Hn; exec grep -E '^(Sig|Shd|Uid|Gid|Groups|Umask|Cap|NoNewPrivs|Seccomp)' /proc/self/status"
)


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_command_has_an_empty_standard_input_and_no_other_file(launcher: Launcher) -> None:
    assert launcher.run("cat").out == ""
    # ls itself opens the directory as 3.
    assert launcher.run("ls", "/proc/self/fd").out.split() == ["0", "1", "2", "3"]
    assert launcher.run("readlink", "/proc/self/fd/0").out == "/dev/null\n"


def test_command_is_the_process_that_was_started(launcher: Launcher) -> None:
    process = launcher.start("sh", "-c", "echo $$; exec sleep 60")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(delivery())
    process.stdin.close()
    process.stdin = None
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGTERM


def test_signals_rights_and_limits_are_those_of_a_direct_start(launcher: Launcher) -> None:
    direct = subprocess.run(["sh", "-c", INHERITED], env=VARIABLES, capture_output=True, text=True, check=True)
    ended = launcher.run("sh", "-c", INHERITED)
    assert (ended.out, ended.error) == (direct.stdout, "")


def test_signal_while_the_delivery_is_awaited_ends_the_launch(launcher: Launcher) -> None:
    process = launcher.start("true")
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)
    process.communicate()
    assert process.returncode == -signal.SIGTERM


def test_exit_code_and_output_are_the_commands(launcher: Launcher) -> None:
    ended = launcher.run("sh", "-c", "echo out; echo error >&2; exit 42")
    assert (ended.code, ended.out, ended.error) == (42, "out\n", "error\n")


def test_arguments_arrive_as_they_are_and_many(launcher: Launcher) -> None:
    arguments = ["--", "", "a b", "$HOME", "é", *map(str, range(20_000))]
    assert launcher.run("printf", "%s\\n", *arguments).out.splitlines() == arguments


def test_name_is_found_on_the_containers_path_and_kept_as_argument_zero(launcher: Launcher, tmp_path: Path) -> None:
    script(tmp_path / "second/tool", "#!/bin/sh\necho second\n")
    (tmp_path / "first/tool").mkdir(parents=True)
    path = f"{tmp_path}/absent:{tmp_path}/first:{tmp_path}/second"
    assert launcher.run("tool", variables={"PATH": path}).out == "second\n"
    assert launcher.run("sh", "-c", "tr '\\0' ' ' < /proc/$$/cmdline").out.startswith("sh -c ")


def test_path_of_the_delivery_is_the_containers(launcher: Launcher, tmp_path: Path) -> None:
    script(tmp_path / "tool", "#!/bin/sh\necho found\n")
    assert launcher.run("tool", given=delivery({"PATH": str(tmp_path)})).out == "found\n"


def test_path_with_slash_is_taken_from_the_working_directory(launcher: Launcher, tmp_path: Path) -> None:
    script(tmp_path / "bin/tool", "#!/bin/sh\npwd\n")
    assert launcher.run("bin/tool", directory=tmp_path).out == f"{tmp_path}\n"
    assert launcher.run("./bin/tool", directory=tmp_path).out == f"{tmp_path}\n"
    assert launcher.run(str(tmp_path / "bin/tool"), directory=tmp_path).out == f"{tmp_path}\n"


@pytest.mark.parametrize("path", ["", ".", ":", "bin"])
def test_name_is_not_found_in_the_working_directory(launcher: Launcher, tmp_path: Path, path: str) -> None:
    script(tmp_path / "tool", "#!/bin/sh\n")
    script(tmp_path / "bin/tool", "#!/bin/sh\n")
    ended = launcher.run("tool", variables={"PATH": path}, directory=tmp_path)
    assert (ended.code, ended.error) == (127, "launch: run tool: no such file or directory\n")


@pytest.mark.parametrize("command", ["absent", "/absent", "./absent", "/etc/passwd/absent", ""])
def test_command_that_is_not_there_is_127(launcher: Launcher, command: str) -> None:
    ended = launcher.run(command)
    assert ended.code == 127
    assert ended.error.startswith(f"launch: run {command}: ")
    assert ended.error.count("\n") == 1


def test_command_that_cannot_be_executed_is_126(launcher: Launcher, tmp_path: Path) -> None:
    plain = script(tmp_path / "plain", "#!/bin/sh\n", mode=0o644)
    broken = script(tmp_path / "broken", "no program of any kind")
    denied = "permission denied"
    assert launcher.run(str(plain)).error == f"launch: run {plain}: {denied}\n"
    assert launcher.run("plain", variables={"PATH": str(tmp_path)}).error == f"launch: run plain: {denied}\n"
    assert launcher.run("/tmp").error == f"launch: run /tmp: {denied}\n"
    assert launcher.run(str(broken)).error == f"launch: run {broken}: exec format error\n"
    assert [launcher.run(str(each)).code for each in (plain, broken, "/tmp")] == [126, 126, 126]


@pytest.mark.parametrize("arguments", [[], ["--"], ["true"], ["-h"]])
def test_call_without_a_command_is_refused(launcher: Launcher, arguments: list[str]) -> None:
    ended = subprocess.run([launcher.binary, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr.decode()) == (
        125,
        "launch: must be called as: launch -- command arguments…\n",
    )

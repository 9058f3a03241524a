"""Command line: lazy commands, exit codes, and no traceback."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from runyard import __version__
from runyard.cli import main as module
from runyard.cli.commands import COMMANDS
from runyard.cli.main import cli, main
from runyard.errors import HostError, VerifyError


@click.command()
@click.option("--how", default="well")
def probe(how: str) -> int | None:
    """Fail in the asked-for way."""
    if how == "host":
        raise HostError("start instance a: refused")
    if how == "verify":
        raise VerifyError("gateway: port differs")
    if how == "abort":
        raise click.Abort
    return 5 if how == "five" else None


@pytest.fixture
def _with_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "probe", (f"{__name__}:probe", "For tests."))


@pytest.mark.usefixtures("_with_probe")
@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("well", 0, ""),
        ("five", 5, ""),
        ("host", 1, "error: start instance a: refused\n"),
        ("verify", 7, "error: gateway: port differs\n"),
        ("abort", 8, "error: interrupted\n"),
    ],
)
def test_main_gives_the_exit_code_and_one_line(
    how: str, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", "--how", how]) == code
    assert capsys.readouterr().err == told


def test_main_refuses_an_unknown_command_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "No such command 'nothing': there are backup, budget, completion, " in capsys.readouterr().err


def test_main_tells_the_closest_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reveiw"]) == 2
    assert "No such command 'reveiw': did you mean review?" in capsys.readouterr().err


def test_main_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.usefixtures("_with_probe")
def test_options_are_variables_too_and_what_is_typed_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_HOW", "five")
    assert (main(["probe"]), main(["probe", "--how", "well"])) == (5, 0)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"_RUNYARD_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_completion_gives_commands_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_RUNYARD_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "runyard st")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out == "plain,status\n"


def test_help_lists_every_command_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "broken", ("no.such.module:command", "Cannot be imported."))
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert "broken" in text
    assert "validate" in text


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_imported(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command)
    assert command.help


@pytest.mark.parametrize("module_name", ["runyard.cli.main", "runyard.cli.validate"])
def test_validate_imports_neither_docker_nor_pulumi(module_name: str) -> None:
    heavy = ("docker", "pulumi", "aiohttp", "grpc", "jsonschema", "rich", "asyncio")
    program = f"import sys, {module_name}, runyard.manifest.loader; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_module_can_be_run() -> None:
    result = subprocess.run(
        [sys.executable, "-m", module.__name__, "--help"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("Usage: runyard [OPTIONS] COMMAND")

"""Output of every command: forms with the same data, colours on a terminal alone, and one way to tell errors."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from runyard.cli import main as module
from runyard.cli.commands import COMMANDS
from runyard.cli.main import cli, main
from runyard.cli.output import FORMS, Output, has_colour, paint, pass_on, render_json, render_yaml, reporting
from tests.unit import checkout

DATA: dict[str, Any] = {
    "b": (1, None, True),
    "a": {"money": "0.10", "exponent": "1e3", "octal": "0o7", "day": "2026-01-31", "no": "no", "none": "null"},
    "text": ["line\nline\x1b[2J", " é ", "", "- x", "#", "~", "=", "1_000"],
}
DATA["again"] = DATA["a"]


@click.command()
@click.option("--fails", is_flag=True)
@reporting("sarif")
def probe(fails: bool, out: Output) -> int:
    """Show what there is in every form."""
    out.warn(["warning: odd"])
    out.show(lambda: DATA, lambda: "+ text \x1b[2J", failed=fails, sarif=lambda: "{}")
    return 5 if fails else 0


@pytest.fixture(autouse=True)
def _with_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "probe", (f"{__name__}:probe", "For tests."))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["probe", *arguments])
    return code, *capsys.readouterr()


def test_json_and_yaml_are_the_same_data(capsys: pytest.CaptureFixture[str]) -> None:
    _, as_json, _ = run(capsys, "-o", "json")
    _, as_yaml, _ = run(capsys, "-o", "yaml")
    assert json.loads(as_json) == yaml.safe_load(as_yaml) == json.loads(json.dumps(DATA))


def test_yaml_quotes_what_only_some_readers_take_for_a_number() -> None:
    assert render_yaml({"a": "1e3", "b": "0o7"}) == 'a: "1e3"\nb: "0o7"\n'


def test_order_of_keys_changes_no_byte() -> None:
    other = dict(reversed(DATA.items()))
    assert render_json(other) == render_json(DATA)
    assert render_yaml(other) == render_yaml(DATA)


def test_text_is_plain_with_controls_escaped_and_warnings_are_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == (0, "+ text \\x1b[2J\n", "warning: odd\n")


def test_markdown_is_the_text_as_a_block_and_a_form_of_its_own_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-o", "markdown")[1] == "```text\n+ text \\x1b[2J\n```\n"
    assert run(capsys, "-o", "sarif")[1] == "{}\n"


def test_report_without_an_end_is_a_line_each_as_text_or_as_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    for out in (Output("text"), Output("json"), Output("text", quiet=True)):
        out.add({"b": 1, "a": "x\ny"}, "line \x1b[2J")
    # Quiet is about reports of what went well; lines are what was asked for.
    assert capsys.readouterr().out == 'line \\x1b[2J\n{"a": "x\\ny", "b": 1}\nline \\x1b[2J\n'


def test_quiet_leaves_out_the_text_of_what_went_well_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-q") == (0, "", "warning: odd\n")
    assert run(capsys, "-q", "--fails")[:2] == (5, "+ text \\x1b[2J\n")
    assert json.loads(run(capsys, "-q", "-o", "json")[1])


# Their output is that of the program that they run.
OTHERS = {"exec", "run", "up", "preview", "down"}


@pytest.mark.parametrize("name", [*sorted(set(COMMANDS) - {"probe", *OTHERS}), "probe"])
def test_every_command_has_every_form(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command
    for each in command.commands.values() if isinstance(command, click.Group) else [command]:
        options = {option: parameter for parameter in each.params for option in parameter.opts}
        form = options["--output"].type
        assert isinstance(form, click.Choice)
        assert tuple(form.choices)[: len(FORMS)] == FORMS
        assert {"-o", "-q", "--quiet", "--no-color"} <= set(options)
        assert options["--output"].envvar == "RUNYARD_OUTPUT"


def test_line_of_another_program_is_passed_on_as_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    pass_on("\x1b[1mü\t.", to_stderr=False)
    pass_on("bad", to_stderr=True)
    assert capfdbinary.readouterr() == ("\x1b[1mü\t.\n".encode(), b"bad\n")


def test_commands_write_through_one_place_alone() -> None:
    found = [
        str(path)
        for path in checkout.code("runyard", suffixes=(".py",))
        if path.parts[1] == "cli" and path.name != "output.py"
        if re.search(r"click\.echo|\bprint\(|sys\.std(out|err)\b|json\.dumps\(.*indent", checkout.text(path))
    ]
    assert found == []


def test_documentation_has_every_command_and_its_line() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", checkout.text(Path("docs/cli.md")), re.MULTILINE))
    assert rows == {name: line for name, (_, line) in COMMANDS.items() if name != "probe"}


def test_colours_are_all_that_paint_adds() -> None:
    text = "error: x\nwarning: y\n  + a\n  - b\n  ~ c\n  - {d}\nplain\na: warning: z\n"
    painted = paint(text)
    assert click.unstyle(painted) == text
    coloured = [line for line in painted.splitlines() if "\x1b" in line]
    assert [click.unstyle(line) for line in coloured] == [
        *("error: x", "warning: y", "  + a", "  - b", "  ~ c", "a: warning: z"),
    ]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_want_a_terminal_and_nobody_against_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert has_colour(Terminal()) is expected
    assert has_colour(io.StringIO()) is False


@pytest.mark.parametrize(("arguments", "coloured"), [([], True), (["--no-color"], False)])
def test_error_on_a_terminal_is_coloured_unless_it_is_not_wanted(arguments: list[str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", module.__name__, "cost", "gone.yaml", *arguments]
    try:
        code = subprocess.run(command, stderr=theirs, stdout=theirs, env=environment, check=False).returncode
        told = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert code == 2
    assert "\x1b[31merror\x1b[0m: gone.yaml" in told if coloured else told.startswith("error: gone.yaml")

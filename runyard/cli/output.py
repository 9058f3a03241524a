"""Output of every command, decided once: which form, which stream, whether there are colours, and how errors look.

A command gives its report as data for programs and as text for people. Where stdout is no terminal, equal reports are
equal bytes; on one, colours are all that is added.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, TextIO

import click

from runyard.errors import UsageError
from runyard.readable import readable

FORMS = ("text", "json", "yaml", "markdown")
Render = Callable[[], str]

# Lines whose first word says that something is wrong, and the signs of a comparison; compiled by who paints.
_COLOURS = (
    (r"^ *(?:error|problem|refused)\b", "red"),
    (r"^ *(?:warning|stranger)\b|: warning:", "yellow"),
    (r"^ *\+ .*", "green"),
    (r"^ *- (?!\{).*", "red"),
    (r"^ *(?:~|\+-) .*", "yellow"),
)
# What one of YAML's versions takes for a number or a date and another for text.
_NUMBERLIKE = r"[-+.~0-9]"


@dataclass(frozen=True, slots=True)
class Output:
    """What a user asked of the output of one command."""

    form: str = "text"
    quiet: bool = False
    colour: bool = True

    def show(self, data: Callable[[], Any], text: Render, *, failed: bool = False, **others: Render) -> None:
        """Write a report to stdout in the form that was asked for, made when it is needed.

        `data` gives plain data, the same for JSON and YAML. `others` are forms of its own by name; Markdown is the text
        as a block where it has none. With `quiet` there is no text unless the command `failed`.
        """
        if self.form in others:
            self._write(others[self.form]())
        elif self.form == "json":
            self._write(render_json(data()))
        elif self.form == "yaml":
            self._write(render_yaml(data()))
        elif self.form == "markdown":
            self._write(f"```text\n{_safe(_ended(text())).replace('```', chr(39) * 3)}```\n")
        elif failed or not self.quiet:
            self._write(text(), for_people=True)

    def add(self, data: Any, text: str) -> None:
        """Write one more line of a report without an end, at once: text, or an object on a line of its own as JSON."""
        if self.form == "json":
            import json

            self._write(json.dumps(data, sort_keys=True))
        else:
            self._write(text, for_people=True)
        sys.stdout.flush()

    def warn(self, lines: Iterable[str]) -> None:
        """Write lines to stderr: what a user should know and stops nothing, or why it stopped."""
        for line in lines:
            _echo(sys.stderr, line, colour=self.colour)

    def _write(self, text: str, *, for_people: bool = False) -> None:
        if for_people:
            _echo(sys.stdout, text, colour=self.colour)
        else:
            click.echo(_shown(sys.stdout, _ended(text)), nl=False, color=True)


def reporting(*more: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of every command's output, and its function an Output as `out`; `more` are forms."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option(
            *("-o", "--output", "form"), type=click.Choice([*FORMS, *more]), default="text", help="Form of the report."
        )
        @click.option("-q", "--quiet", is_flag=True, help="Write no text when all is well.")
        @click.option("--no-color", is_flag=True, help="Write no colours to a terminal, as with NO_COLOR.")
        @click.pass_context
        @functools.wraps(function)
        def command(context: click.Context, /, *, form: str, quiet: bool, no_color: bool, **arguments: Any) -> Any:
            # Where errors look, which no command writes itself.
            context.find_root().color = False if no_color else None
            return function(out=Output(form, quiet, not no_color), **arguments)

        return command

    return decorate


def tell_error(message: object, *, colour: bool = True) -> None:
    """Write an error to stderr, as every command does."""
    _echo(sys.stderr, f"error: {message}", colour=colour)


def pass_on(line: str, *, to_stderr: bool) -> None:
    """Write a line of a program that a command runs, as it is and at once, to the one of the outputs that it wrote to.

    BrokenPipeError if nobody reads on.
    """
    stream = (sys.stderr if to_stderr else sys.stdout).buffer
    # As bytes: what a program writes is not for the terminal's encoding to refuse.
    stream.write(f"{line}\n".encode())
    stream.flush()


@contextmanager
def binary_output(verb: str) -> Iterator[IO[bytes]]:
    """Give stdout for bytes that are no text; UsageError where that is a terminal."""
    if sys.stdout.isatty():
        raise UsageError(f"{verb}: standard output must be a file or a pipe, and is a terminal")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def render_json(data: Any) -> str:
    """Render plain data as JSON; equal data gives equal text, whatever the order of its keys."""
    # Here and above, as what shows text, such as help, has no use for it.
    import json

    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def render_yaml(data: Any) -> str:
    """Render plain data as YAML that every version of YAML reads as the same data as the JSON."""
    # Imported here because nothing else of a live stack's commands needs it.
    import json

    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what looks like the beginning of a number, and shares nothing by anchors."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def represent(dumper: Dumper, text: str) -> yaml.ScalarNode:
        style = '"' if re.match(_NUMBERLIKE, text) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    # Through JSON, so that what is a tuple or a key's number here is what JSON has.
    plain = json.loads(json.dumps(data))
    return yaml.dump(plain, Dumper=Dumper, sort_keys=True, allow_unicode=True, width=4096)


def paint(text: str) -> str:
    """Colour what is wrong, and the signs of a comparison; without the colours it is the same text."""
    for pattern, colour in _COLOURS:
        text = re.sub(pattern, lambda found, fg=colour: click.style(found[0], fg=fg), text, flags=re.MULTILINE)  # type: ignore[misc]
    return text


def has_colour(stream: TextIO) -> bool:
    """Tell whether a stream shows colours and its user wants them (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _echo(stream: TextIO, text: str, *, colour: bool) -> None:
    safe = _shown(stream, _safe(_ended(text)))
    click.echo(paint(safe) if colour and has_colour(stream) else safe, file=stream, nl=False, color=True)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _safe(text: str) -> str:
    return readable(text, keep="\n\t")


def _shown(stream: TextIO, text: str) -> str:
    """Escape what the stream cannot show, such as a file name that is not UTF-8."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)

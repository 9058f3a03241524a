"""Commands `up`, `preview` and `down`: what the toolchain does with Pulumi, from any directory of a project."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from policies.environment import environment_of
from runyard.errors import UsageError
from runyard.pulumi.project import find_checkout, find_project
from runyard.pulumi.settings import read_manifests


def _of_stack(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what all three have: its stack, more for Pulumi, and how it looks."""

    @click.argument("more", nargs=-1, metavar="[-- PULUMI'S OWN...]")
    @click.option("-s", "--stack", default="dev", show_default=True, help="The stack.")
    @click.option("--no-color", is_flag=True, help="Write no colours to a terminal, as with NO_COLOR.")
    @functools.wraps(function)
    def command(*, no_color: bool, **arguments: Any) -> Any:
        if no_color:
            # Pulumi's own word for it too.
            os.environ["NO_COLOR"] = "1"
        return function(**arguments)

    return command


def _of_manifests(function: Callable[..., Any]) -> Callable[..., Any]:
    option = click.option(
        *("-f", "--file", "files"),
        multiple=True,
        help="Manifests: a file, directory or glob; those of the stack's settings by default.",
    )
    return option(function)


@click.command()
@_of_stack
@_of_manifests
@click.option("--plan", type=click.Path(exists=True, dir_okay=False), help="What `review --save` wrote, to hold to.")
@click.option("--force", is_flag=True, help="Ask Pulumi, whatever the record of the last update says.")
@click.option("-v", "--verbose", is_flag=True, help="Show Pulumi's own tree of resources.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before production is changed.")
def up(  # noqa: PLR0913 - click gives one parameter for each option
    stack: str, files: tuple[str, ...], plan: str | None, force: bool, verbose: bool, yes: bool, more: tuple[str, ...]
) -> None:
    """Run the manifests: what changes is made, and moved to when it is ready.

    On a terminal it asks first where the stack is production's.
    """
    if sys.stdin.isatty():
        _ask(f"change stack {stack}, which is production's?", stack, yes=yes)
    arguments = [*(["--plan", os.path.abspath(plan)] if plan else []), *_flags(force=force, verbose=verbose)]
    _hand_over("up", stack, files, arguments, more)


@click.command()
@_of_stack
@_of_manifests
@click.option("--expect-no-changes", is_flag=True, help="Exit with 7 if anything changes.")
@click.option("--force", is_flag=True, help="Ask Pulumi, whatever the record of the last update says.")
def preview(stack: str, files: tuple[str, ...], expect_no_changes: bool, force: bool, more: tuple[str, ...]) -> None:
    """Show what `up` would change, changing nothing: no stack is made either."""
    _hand_over("preview", stack, files, _flags(expect_no_changes=expect_no_changes, force=force), more)


@click.command()
@_of_stack
@click.option("-v", "--verbose", is_flag=True, help="Show Pulumi's own tree of resources.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before production is taken down.")
@click.option("--force", is_flag=True, help="Take away a stack whose state is lost, too.")
def down(stack: str, verbose: bool, yes: bool, force: bool, more: tuple[str, ...]) -> None:
    """Take the stack away: everything that carries its label, and nothing else.

    It asks first where the stack is production's; without a terminal to ask at, --yes must be given.
    """
    if not sys.stdin.isatty() and environment_of(stack) == "production" and not yes:
        raise UsageError(f"down: stack {stack} is production's, and nobody can be asked: --yes must be given")
    _ask(f"take down stack {stack}, which is production's?", stack, yes=yes)
    _hand_over("down", stack, None, _flags(verbose=verbose, force=force), more)


def _ask(question: str, stack: str, *, yes: bool) -> None:
    if environment_of(stack) == "production" and not yes:
        click.confirm(question, abort=True, err=True)


def _flags(**given: bool) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name, on in given.items() if on]


def _hand_over(
    verb: str, stack: str, files: tuple[str, ...] | None, arguments: list[str], more: tuple[str, ...]
) -> NoReturn:
    """Become the toolchain, which brings what is lacking; `files` is None for a verb that takes none."""
    checkout = find_checkout()
    project = find_project(".")
    if project is None:
        raise UsageError(f"{verb}: {os.getcwd()} is in no project of Runyard's: `runyard init` makes one")
    given = ["--project", project, "--stack", stack, *arguments]
    if files is not None:
        given += ["--manifests", _name_paths(files, project)] if files else _as_set(verb, project, stack)
    program = os.path.join(checkout, "toolchain", "bootstrap")
    command = [program, verb, *given, *(["--", *more] if more else [])]
    os.execv(program, command)  # noqa: S606 - a fixed list, no shell


def _as_set(verb: str, project: str, stack: str) -> list[str]:
    manifests = read_manifests(Path(project), stack)
    if not manifests:
        raise UsageError(
            f"{verb}: must be given manifests: --file PATH, or `runyard:manifests` in {project}/Pulumi.yaml"
        )
    return ["--manifests", manifests, "--as-set"]


def _name_paths(files: tuple[str, ...], project: str) -> str:
    """Name manifests as settings do, with commas between: from the project on, if they lie in it."""
    named = []
    for each in files:
        if "," in each:
            raise UsageError(f"--file: must be without a comma, which separates paths in settings, got {each!r}")
        path = os.path.abspath(each)
        inside = os.path.relpath(path, project)
        named.append(path if inside.startswith("..") else inside)
    return ",".join(named)

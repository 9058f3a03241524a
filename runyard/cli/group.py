"""Group of commands that are imported one by one, from a table of names, and whose errors look and count alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from runyard.cli.output import tell_error
from runyard.errors import CancelledError, RunyardError, UsageError


class LazyGroup(click.Group):
    """A group that imports a command on its first use, so that `validate` never waits for Docker or Pulumi."""

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, tuple[str, str]],
        aliases: Mapping[str, str] | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(*args, **keywords)
        self.table = table
        self.aliases = aliases or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all commands, sorted."""
        return sorted(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        cmd_name = self.aliases.get(cmd_name, cmd_name)
        if cmd_name not in self.table:
            return None
        module, _, function = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), function)
        _name_variables(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of one that there is not, tell the closest."""
        if args and args[0] not in (*self.table, *self.aliases) and not args[0].startswith("-"):
            # Imported here because a command that there is needs it not.
            from difflib import get_close_matches

            close = get_close_matches(args[0], [*self.table, *self.aliases], n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(self.table))}"
            raise click.UsageError(f"No such command '{args[0]}': {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.table[name][1]) for name in sorted(self.table)])

    def invoke(self, ctx: click.Context) -> int:
        """Run a command and give its exit code; what fails is an error on stderr, never a traceback."""
        try:
            result = super().invoke(ctx)
        except RunyardError as error:
            return _fail(ctx, error)
        except (click.exceptions.Abort, KeyboardInterrupt):
            return _fail(ctx, CancelledError("interrupted"))
        except click.ClickException as error:
            return _fail(ctx, usage_error(error))
        return result if isinstance(result, int) else 0


def _name_variables(command: click.Command) -> None:
    """Let every option of a command, and of those in it, be given as a variable."""
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            option.envvar = f"RUNYARD_{_word(option)}"
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _name_variables(each)


def _word(option: click.Option) -> str:
    """Give an option's long name as the end of a variable's."""
    long = next((each for each in option.opts if each.startswith("--")), option.opts[0])
    return long.lstrip("-").replace("-", "_").upper()


def usage_error(error: click.ClickException) -> UsageError:
    """Give click's error as one of ours, with the usage of the command that it is about."""
    context = getattr(error, "ctx", None)
    return UsageError(error.format_message() + (f"\n{context.get_usage()}" if context else ""))


def _fail(ctx: click.Context, error: RunyardError) -> int:
    tell_error(error, colour=ctx.color is not False)
    return error.exit_code

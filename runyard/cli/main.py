"""Command line of Runyard: wiring only. Each command's module is imported when that command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from runyard.errors import RunyardError

# Name of a command -> "module:function" of a click command, and the line that `runyard --help` shows for it.
COMMANDS: dict[str, tuple[str, str]] = {
    "status": ("runyard.cli.status:status", "Show what runs: services, traffic, revisions and why they failed."),
    "validate": ("runyard.cli.validate:validate", "Check manifests; needs neither Docker nor Pulumi."),
    "verify": ("runyard.cli.verify:verify", "Prove that what runs is what the manifests ask for."),
}


class LazyGroup(click.Group):
    """A group that imports a command on its first use, so that `validate` never waits for Docker or Pulumi."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup)
def cli() -> None:
    """Runyard: a private Cloud Run on machines you own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code; errors of ours are one line on stderr, never a traceback."""
    try:
        result = cli.main(arguments, prog_name="runyard", standalone_mode=False)
    except RunyardError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Abort:
        click.echo("error: interrupted", err=True)
        # Signals end non-zero; 8 is what the other commands give when they are cancelled.
        return 8
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())

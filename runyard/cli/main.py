"""Command line of Runyard: wiring only. Each command's module is imported when that command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from runyard import __version__
from runyard.cli.commands import ALIASES, COMMANDS
from runyard.cli.group import LazyGroup, usage_error
from runyard.cli.output import tell_error


@click.group(cls=LazyGroup, table=COMMANDS, aliases=ALIASES)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Runyard: a private Cloud Run on machines you own.

    Every option --NAME of a command can be given as a variable RUNYARD_NAME too.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code, that of the error's class where one ended it (runyard/errors.py)."""
    try:
        result = cli.main(arguments, prog_name="runyard", standalone_mode=False)
    except click.ClickException as error:
        # Before any command: an option of the group, or none of either.
        told = usage_error(error)
        tell_error(told)
        return told.exit_code
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())

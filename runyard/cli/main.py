"""Command line of Runyard: wiring only. Each command's module is imported when that command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from runyard import __version__
from runyard.cli.group import LazyGroup, usage_error
from runyard.cli.output import tell_error

# Name of a command -> "module:function" of a click command, and the line that `runyard --help` shows for it.
COMMANDS: dict[str, tuple[str, str]] = {
    "cost": ("runyard.cli.cost:cost", "Show what manifests cost in a month, by service and tenant."),
    "completion": ("runyard.cli.completion:completion", "Write what makes a shell complete commands and options."),
    "exec": ("runyard.cli.exec:execute", "Run a program in an instance of a service."),
    "logs": ("runyard.cli.logs:logs", "Show what the instances of a service write, and go on with -f."),
    "ps": ("runyard.cli.ps:ps", "List the instances of a live stack: their states, and where they are."),
    "release": ("runyard.cli.release:release", "Give back what a stack has claimed of its host and does not use."),
    "review": ("runyard.cli.review:review", "Compare two sides of manifests: changes, policies, quotas and cost."),
    "purge": ("runyard.cli.purge:purge", "Forget what the gateway's cache keeps of a service."),
    "rollback": ("runyard.cli.rollback:rollback", "Move a service's traffic back to an earlier revision."),
    "restart": ("runyard.cli.restart:restart", "Replace a service's instances, one after the other."),
    "revisions": ("runyard.cli.revisions:revisions", "List what is kept of a service, and its traffic and instances."),
    "scale": ("runyard.cli.scale:scale", "Have a number of instances of a service for a while."),
    "simulate": ("runyard.cli.simulate:simulate", "Show how manifests scale under a trace, and what that costs."),
    "status": ("runyard.cli.status:status", "Show what runs: services, traffic, revisions and why they failed."),
    "trust": ("runyard.cli.trust:trust", "Trust the local CA of a stack, so that its https:// addresses work."),
    "validate": ("runyard.cli.validate:validate", "Check manifests; needs neither Docker nor Pulumi."),
    "verify": ("runyard.cli.verify:verify", "Prove that what runs is what was asked for, or advise on its host."),
    "why": ("runyard.cli.why:why", "Say why a service has as many instances as it has."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
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

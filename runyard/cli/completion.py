"""Command `completion`: what a shell reads to complete Runyard's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from runyard.cli.output import Output, reporting
from runyard.errors import UsageError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@reporting()
def completion(shell: str, out: Output) -> None:
    """Write the script that completes commands and options in SHELL.

    In bash: `eval "$(runyard completion bash)"` in ~/.bashrc.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"completion: shell must be bash, zsh or fish, got {shell}")
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "runyard", "_RUNYARD_COMPLETE").source()
    out.show(lambda: {"shell": shell, "script": script}, lambda: script)

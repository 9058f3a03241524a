"""Command `completion`: what a shell reads to complete Runyard's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from runyard.cli.output import Output, reporting

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@reporting()
def completion(shell: str, out: Output) -> None:
    """Write the script that completes commands and options in SHELL.

    In bash: `eval "$(runyard completion bash)"` in ~/.bashrc.
    """
    root = click.get_current_context().find_root().command
    script = _SHELLS[shell](root, {}, "runyard", "_RUNYARD_COMPLETE").source()
    out.show(lambda: {"shell": shell, "script": script}, lambda: script)

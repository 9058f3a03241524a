"""`runyard trust`: let this machine's programs believe a stack's local CA."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import click

from runyard.cli.output import Output, reporting
from runyard.errors import UsageError
from runyard.host import Engine, Orchestrator
from runyard.host.trust import OTHERS, find_store, install_authority, remove_authority


@click.command()
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose CA is meant.")
@click.option("--print", "show", is_flag=True, help="Print the CA's certificate (PEM) and change nothing.")
@click.option("--remove", is_flag=True, help="Trust it no longer; works without the stack.")
@reporting()
def trust(stack: str, show: bool, remove: bool, out: Output) -> None:
    """Install the local CA of STACK in this system's trust store; it counts for the stack's domain alone."""
    if show and remove:
        raise UsageError("trust: must be given --print or --remove, got both")
    if remove:
        path = remove_authority(find_store(), stack)
        removed = f"removed {path}" if path else f"the CA of stack {stack} is not installed here"
        out.show(lambda: {"stack": stack, "removed": str(path) if path else None}, lambda: removed)
        return
    with Engine() as engine, closing(Orchestrator(engine, stack)) as orchestrator:
        authority = orchestrator.authority()
    if show:
        # What was asked for is not a report of what was done: quiet does not leave it out.
        replace(out, quiet=False).show(lambda: {"stack": stack, "certificate": authority}, lambda: authority)
        return
    installed = install_authority(find_store(), stack, authority)
    out.show(
        lambda: {"stack": stack, "installed": str(installed)},
        lambda: (
            f"installed {installed}: programs that use the system's trust store believe stack {stack} now\n{OTHERS}"
        ),
    )

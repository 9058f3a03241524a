"""Command `release`: give back what a stack has claimed of its host and does not use."""

from __future__ import annotations

import click

from runyard import names
from runyard.cli.output import Output, reporting
from runyard.errors import UsageError
from runyard.host import Engine
from runyard.host.claims import release as give_back
from runyard.host.removal import remove_everything
from runyard.units import render_count


@click.command()
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose claims go.")
@click.option("--everything", is_flag=True, help="First remove what the host has of the stack, whose state is lost.")
@reporting()
def release(stack: str, everything: bool, out: Output) -> None:
    """Give back what a stack has claimed of its host by an `up` that was killed and is given up.

    What its orchestrator keeps went with that. Refuses while a container of the stack stands, for then the claim is
    what it uses. With `--everything` all that carries the stack's label is removed before, but for volumes that a
    service keeps: for a stack whose state is lost, which `down` cannot know.
    """
    with Engine() as engine:
        removed = remove_everything(engine, stack) if everything else ()
        # One that only says that it is a claim is not given back, so it does not stand in the way either.
        standing = [
            each.name
            for each in engine.owned(stack)
            if each.kind == "container" and each.role != names.ROLE_CLAIM and each not in removed
        ]
        if standing:
            raise UsageError(f"release stack {stack}: must have no container, got {len(standing)}: {standing[0]}, …")
        count = give_back(engine, stack)
    out.show(
        lambda: {"stack": stack, "released": count, "removed": [f"{each.kind} {each.name}" for each in removed]},
        lambda: "\n".join(
            [
                *([f"removed {render_count(len(removed), 'thing')} of stack {stack}"] if everything else []),
                f"released {render_count(count, 'claim')} of stack {stack}",
            ]
        ),
    )

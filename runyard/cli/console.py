"""Command `console`: who may sign in to a stack's console."""

from __future__ import annotations

import click

from runyard.cli.output import Output, reporting
from runyard.host import Engine
from runyard.host.console import Console

# As the console's database has them (services/console/adapters/users.py).
ROLES = ("owner", "developer", "viewer", "billing")


@click.group()
def console() -> None:
    """Say who may sign in to the console."""


@console.command()
@click.argument("email")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose console it is.")
@click.option("--tenant", required=True, help="The tenant of which they become a member.")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What they may see of it.")
@reporting()
def invite(email: str, stack: str, tenant: str, role: str, out: Output) -> None:
    """Invite EMAIL, and show the link with which they register: it works once, for three days."""
    with Engine() as engine:
        link = Console(engine, stack).invite(email, tenant, role)
    out.show(lambda: {"email": email, "tenant": tenant, "role": role, "link": link}, lambda: link)


@console.command()
@click.argument("email")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose console it is.")
@reporting()
def reset(email: str, stack: str, out: Output) -> None:
    """Show the link with which EMAIL sets another password: it works once, for a day, and ends their sessions."""
    with Engine() as engine:
        link = Console(engine, stack).reset(email)
    out.show(lambda: {"email": email, "link": link}, lambda: link)

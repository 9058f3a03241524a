"""Command `exec`: a program of one's own in an instance that runs."""

from __future__ import annotations

import os
import subprocess

import click

from runyard import names
from runyard.cli.live import Target, of_service
from runyard.cli.live_logs import containers_of
from runyard.errors import HostError, NotFound, UsageError
from runyard.host import Engine
from runyard.host.thing import Found


@click.command("exec")
@of_service
@click.option("--instance", help="The instance to run it in; the oldest of the service by default.")
@click.option("--container", help="The container of the instance; the one that takes requests by default.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(target: Target, instance: str | None, container: str | None, command: tuple[str, ...]) -> int:
    """Run COMMAND in an instance of SERVICE, with its user and limits, and end with its exit code.

    As in `runyard exec web -- ls -l /tmp`. Standard input goes to it, and a terminal where there is one. Variables with
    secrets are the instance's own program's alone: the engine, which starts COMMAND, does not know them.
    """
    with Engine() as engine:
        chosen = choose(containers_of(engine, target, instance or ""), target, container)
    terminal = ["--tty"] if os.isatty(0) and os.isatty(1) else []
    # Docker's own client: it puts terminals into raw mode and passes signals and sizes on.
    called = ["docker", "exec", "--interactive", *terminal, chosen.id, *command]
    try:
        return subprocess.run(called, check=False).returncode  # noqa: S603 - an argument list, no shell
    except FileNotFoundError as error:
        raise HostError("exec: must have Docker's command, docker, on PATH") from error


def choose(found: list[Found], target: Target, container: str | None) -> Found:
    """Choose the container of the oldest instance, by name or the one that takes requests; NotFound says what there is.

    The containers of an instance are made in the order of its document, the one that takes requests first.
    """
    # A run is meant only where it is named.
    running = sorted(
        (each for each in found if each.state == "running"),
        key=lambda each: (each.labels.get(names.ROLE) == names.ROLE_RUN, each.created),
    )
    if not running:
        raise NotFound(f"exec {target.name}: has no instance that runs (runyard ps lists what there is)")
    oldest = running[0].labels[names.INSTANCE]
    mine = {each.labels[names.CONTAINER]: each for each in running if each.labels[names.INSTANCE] == oldest}
    if container is None:
        return next(iter(mine.values()))
    if container not in mine:
        raise UsageError(f"exec {target.name}: container must be one of {', '.join(sorted(mine))}, got {container!r}")
    return mine[container]

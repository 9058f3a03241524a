"""Commands `backup` and `restore`: everything that makes a stack, in one file, and the stack again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from runyard.backup import shelf
from runyard.backup.archive import Contents
from runyard.backup.place import Place
from runyard.backup.restore import Given, Restored
from runyard.backup.restore import restore as put_back
from runyard.backup.sealing import parse_recipients
from runyard.backup.take import Wanted, describe, take
from runyard.cli.output import Output, binary_output, reporting
from runyard.errors import UsageError
from runyard.host import Engine
from runyard.host.transport import Transport
from runyard.host.volume import Volumes
from runyard.units import render_count

_MEBIBYTE = 1024**2


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), required=False)
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack.")
@click.option("--to", "directory", type=click.Path(file_okay=False, exists=True), help="Directory of backups by date.")
@click.option("--keep", type=click.IntRange(min=1), help="With --to: how many of the stack's stay; all by default.")
@click.option("--recipient", "recipients", multiple=True, help="Public key, age's or SSH's, of who may restore it.")
@click.option("--volume", "chosen", multiple=True, metavar="TENANT/NAME", help="Of tenants' volumes, only these.")
@click.option("--without-volumes", is_flag=True, help="Leave tenants' volumes out.")
@click.option("--config-file", type=click.Path(), help="The stack's configuration, as pulumi's own flag.")
@reporting()
def backup(  # noqa: PLR0913 - click gives one parameter for each option
    file: str | None,
    stack: str,
    directory: str | None,
    keep: int | None,
    recipients: tuple[str, ...],
    chosen: tuple[str, ...],
    without_volumes: bool,
    config_file: str | None,
    out: Output,
) -> None:
    """Write everything that makes a stack to FILE (- is standard output), or by its date into a directory.

    State, settings, keys, CA and certificates, what the orchestrator and the gateway keep, the ledger, and tenants'
    volumes, while the stack runs. Encrypted to a --recipient it has the passphrase, too; else that is left out.
    """
    if (file is None) == (directory is None):
        raise UsageError("backup: must be given FILE or --to DIRECTORY, and not both")
    if keep is not None and directory is None:
        raise UsageError("backup: --keep must come with --to")
    if chosen and without_volumes:
        raise UsageError("backup: must be given --volume or --without-volumes, got both")
    wanted = Wanted([] if without_volumes else chosen or None, parse_recipients(recipients))
    place = Place.of(stack, config_file, os.environ)
    target = Path(file or os.path.join(directory or "", _name(stack, sealed=bool(recipients))))

    def write(into: IO[bytes]) -> Contents:
        with Engine() as engine, closing(Transport()) as transport:
            return take(engine, Volumes(transport, stack), place, wanted, into)

    if file == "-":
        with binary_output("backup") as stream:
            contents = write(stream)
        out.warn(said("standard output", contents).splitlines())
        return
    contents = shelf.write_whole(target, write)
    removed = shelf.prune(target.parent, stack, keep) if keep is not None else []
    out.show(
        lambda: {**describe(contents), "file": str(target), "removed": [str(each) for each in removed]},
        lambda: said(str(target), contents, removed),
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--identity", type=click.Path(exists=True, dir_okay=False), help="Private keys for what is encrypted.")
@click.option("--without-volumes", is_flag=True, help="Leave tenants' volumes as they are on the host.")
@click.option("--state-only", is_flag=True, help="Put back what Pulumi needs, of a stack that runs and lost its state.")
@click.option("--config-file", type=click.Path(), help="The stack's configuration, as pulumi's own flag.")
@reporting()
def restore(
    file: str, identity: str | None, without_volumes: bool, state_only: bool, config_file: str | None, out: Output
) -> None:
    """Put back what `backup` wrote to FILE, where nothing of the stack is left; `up` then runs it.

    FILE is looked through before anything is touched, and what is there of the stack is never overwritten.
    """

    def place_of(stack: str) -> Place:
        return Place.of(stack, config_file, os.environ)

    with Engine() as engine, closing(Transport()) as transport, open(file, "rb") as archive:
        given = Given(archive, file, Path(identity) if identity else None, without_volumes, state_only)
        restored = put_back(engine, lambda stack: Volumes(transport, stack), place_of, given)
    out.warn(restored.warnings)
    out.show(
        lambda: {**describe(restored.contents), "volumes": list(restored.volumes)}, lambda: said_restored(restored)
    )


def _name(stack: str, *, sealed: bool) -> str:
    return shelf.name_backup(stack, datetime.now(UTC), sealed=sealed)


def said(where: str, contents: Contents, removed: Sequence[Path] = ()) -> str:
    """Say what was backed up, and which older backups made room."""
    had: dict[str, Any] = dict(describe(contents))
    size = f"{had['bytes'] / _MEBIBYTE:.1f} MiB before compression"
    lines = [f"backed up stack {contents.stack} to {where}: {render_count(len(had['volumes']), 'volume')}, {size}"]
    if not had["passphrase"]:
        lines.append("warning: the passphrase is not in it, as it is not encrypted (--recipient): keep that apart")
    return "\n".join([*lines, *(f"removed {each}" for each in removed)])


def said_restored(restored: Restored) -> str:
    """Say what was restored, and what its user does next."""
    contents = restored.contents
    volumes = render_count(len(restored.volumes), "volume")
    return (
        f"restored stack {contents.stack} as it was at {contents.made}: state, settings and {volumes}\n"
        f"now run it: runyard up -s {contents.stack}"
    )

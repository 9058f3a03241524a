"""Command `logs`: what the instances of a service write, from the stack's store or straight from the engine."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from runyard.cli.kept_logs import LogReader, describe_entry, follow_entries, render_entry
from runyard.cli.live import Duration, Target, of_service
from runyard.cli.live_logs import Wanted, containers_of, follow_lines, lines_of
from runyard.cli.output import Output, reporting
from runyard.contracts import MOST_ENTRIES, SEVERITIES, LogEntry
from runyard.errors import NotFound, UsageError
from runyard.host import Engine
from runyard.host.logs import Logs


class Moment(Duration):
    """A time (RFC 3339), or how long ago it was: `90s`, `30m`, `1h`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Give it as a time of UTC."""
        try:
            moment = datetime.fromisoformat(str(value))
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).isoformat()
        except ValueError:
            ago = timedelta(seconds=super().convert(value, param, ctx))
            return (datetime.now(UTC) - ago).isoformat()
        self.fail(f"must have an offset, such as Z, got {value!r}", param, ctx)


def asking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which lines are asked for, and its function them as `asked`, by name."""

    @click.option("--since", type=Moment(), help="From a time on, or for so long: 30m.")
    @click.option("--revision", help="Of this revision alone.")
    @click.option("--instance", "chosen", help="Of this instance alone, as INSTANCE.")
    @click.option("--grep", help="Lines with this regular expression.")
    @click.option("--request", help="Lines with this id of a request, as X-Request-Id told it.")
    @click.option("--severity", type=click.Choice(SEVERITIES, case_sensitive=False), help="At least so bad.")
    @click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="With this field of a line of JSON.")
    @click.argument("instance", required=False)
    @functools.wraps(function)
    def command(*, instance: str | None, chosen: str | None, fields: tuple[str, ...], **arguments: Any) -> Any:
        if instance and chosen and instance != chosen:
            raise UsageError(f"logs: must name one instance, got {instance} and {chosen}")
        names = ("since", "revision", "grep", "request", "severity")
        given = {name: arguments.pop(name) for name in names} | {"instance": instance or chosen}
        asked = [(name, value) for name, value in given.items() if value]
        return function(asked=[*asked, *(("field", each) for each in fields)], **arguments)

    return command


@click.command()
@of_service
@asking
@click.option("-f", "--follow", is_flag=True, help="Go on with each line as it comes, of new instances too.")
@click.option(
    "-n", "--tail", type=click.IntRange(0, MOST_ENTRIES), default=100, show_default=True,
    help="How many of the last lines, from the engine of each container.",
)  # fmt: skip
@reporting()
def logs(target: Target, asked: list[tuple[str, str]], follow: bool, tail: int, out: Output) -> None:
    """Show what the instances of SERVICE, or INSTANCE alone, have written, in the order of time.

    With the Platform's observability.level full it is kept in a store: of instances that are gone, too, with stack
    traces in one piece, and --severity and --field. Else the engine tells, which keeps 30 MB of each container and
    nothing of what has been removed. With --follow, -o json writes an object a line.
    """
    if follow and out.form not in ("text", "json"):
        raise UsageError(f"logs: --output must be text or json with --follow, got {out.form}")
    with Engine() as engine, closing(Logs(engine, target.stack)) as store:
        if store.kept():
            show_kept(store, target, asked, tail, out, follow=follow)
        else:
            _show_live(engine, target, _wanted(dict(asked), tail), out, follow=follow)


def show_kept(
    reader: LogReader, target: Target, asked: list[tuple[str, str]], tail: int, out: Output, *, follow: bool
) -> None:
    """Show what is kept: the last entries, or each as it comes, for ever."""
    if follow:
        show_each(follow_entries(reader, target, asked, tail), out)
        return
    found = reader.read(target.tenant, target.service, [*asked, ("limit", str(max(tail, 1)))]).entries if tail else ()
    if tail and not found:
        out.warn([f"logs {target.name}: nothing of it is kept that fits"])
    out.show(lambda: [describe_entry(each) for each in found], lambda: "\n".join(map(render_entry, found)))


def show_each(found: Iterable[LogEntry | str], out: Output) -> None:
    """Show entries as they come, and texts as warnings."""
    for each in found:
        if isinstance(each, str):
            out.warn([f"warning: {each}"])
        else:
            out.add(describe_entry(each), render_entry(each))


def _show_live(engine: Engine, target: Target, wanted: Wanted, out: Output, *, follow: bool) -> None:
    if follow:
        for each in follow_lines(
            lambda: containers_of(engine, target, wanted.instance, wanted.revision), engine, wanted
        ):
            out.add(asdict(each), each.line())
        return
    found = containers_of(engine, target, wanted.instance, wanted.revision)
    if not found:
        whose = " ".join(each for each in (target.name, wanted.revision, wanted.instance) if each)
        raise NotFound(f"logs {whose}: it has no instance on the engine (runyard ps lists what there is)")
    lines = sorted((line for each in found for line in lines_of(engine, each, wanted)), key=lambda each: each.time)
    out.show(lambda: [asdict(each) for each in lines], lambda: "\n".join(each.line() for each in lines))


def _wanted(asked: Mapping[str, str], tail: int) -> Wanted:
    """Say for the engine which lines are asked for; UsageError where it cannot tell them."""
    if {"severity", "field"} & asked.keys():
        raise UsageError(
            "logs: --severity and --field must be asked of a store, which the stack does not have: "
            "observability: {level: full} in its Platform"
        )
    patterns = []
    if pattern := asked.get("grep"):
        try:
            patterns.append(re.compile(pattern))
        except re.error as error:
            raise UsageError(f"logs: --grep must be a regular expression: {error}, got {pattern!r}") from None
    if request := asked.get("request"):
        patterns.append(re.compile(rf"(?<!\w){re.escape(request)}(?!\w)"))
    instance, revision, since = (asked.get(name, "") for name in ("instance", "revision", "since"))
    return Wanted(tail, instance, revision, since, tuple(patterns))

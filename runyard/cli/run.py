"""Command `run`: a command that runs once, as an instance of a service's revision: a migration, a backfill."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import click

from runyard.cli.live import Duration, Target, find_service, of_service, orchestrator_of
from runyard.cli.output import pass_on, tell_error
from runyard.contracts import RunRequest, RunStatus
from runyard.errors import CancelledError, DeadlineError, HostError, NotFound, UsageError
from runyard.host import Engine

# Often enough that the orchestrator does not take us for gone, which it does after 20 s.
_WAIT_S = 5.0
# What the engine's log may have left when the command has ended.
_REST_S = 10.0
# As many lines as may come before the log is read from its beginning.
_ALL_LINES = 1_000_000
_OF_ERRORS = 2


class Attended(Protocol):
    """What a run needs of an orchestrator."""

    def begin_run(self, request: RunRequest) -> RunStatus:
        """Begin a run."""
        ...

    def await_run(self, tenant: str, service: str, run: str, wait_s: float) -> RunStatus:
        """Ask how it is."""
        ...

    def end_run(self, tenant: str, service: str, run: str) -> None:
        """Take leave of it."""
        ...


@click.command("run")
@of_service
@click.option("--revision", default="", help="The revision to run; by default that with most of the traffic.")
@click.option("--container", default="", help="The container of the revision; by default the one that takes requests.")
@click.option(
    "-e", "--env", multiple=True, metavar="NAME[=VALUE]",
    help="A variable on top of the container's own; without =VALUE it is this shell's.",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=Duration(), default="1h", show_default=True, metavar="DURATION",
    help="How long it may take, up to 24h: 90s, 30m or 1h.",
)  # fmt: skip
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    target: Target, revision: str, container: str, env: tuple[str, ...], timeout_s: int, command: tuple[str, ...]
) -> int:
    """Run COMMAND once as an instance of SERVICE, and end with its exit code.

    As in `runyard run web -- python3 -m shop.migrate`. It has the revision's image, variables, secrets, volumes, limits
    and network, and gets no requests; containers beside it and before it do not run. COMMAND takes the place of the
    image's entrypoint, and its standard input is empty. Ctrl-C stops it, and so does the end of this program.
    """
    request = RunRequest(
        target.tenant,
        target.service,
        secrets.token_hex(8),
        command,
        revision=revision,
        container=container,
        environment=parse_variables(env, os.environ),
        timeout_s=timeout_s,
    )
    # What a build server sends when it gives up; without it nothing here would end the run before its time.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with orchestrator_of(target.stack) as orchestrator:
        find_service("run", orchestrator.services(), target)
        status = attend(orchestrator, request)
    return exit_code_of(target, status)


def parse_variables(given: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Read `NAME=VALUE`, or `NAME` for this environment's value; UsageError names what is neither."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name:
            raise UsageError(f"run: --env: must be NAME=VALUE or NAME, got {each!r}")
        if not equals and name not in environment:
            raise UsageError(f"run: --env {name}: must be a variable here or have =VALUE, got neither")
        found[name] = value if equals else environment[name]
    return found


def attend(orchestrator: Attended, request: RunRequest) -> RunStatus:
    """Begin a run, show what it writes, and give how it ended; nothing of it is left then, however this ends."""
    named = (request.tenant, request.service, request.run)
    try:
        status = orchestrator.begin_run(request)
        while status.state == "starting":
            status = orchestrator.await_run(*named, _WAIT_S)
        with _shown(status.container):
            try:
                while status.state == "running":
                    status = orchestrator.await_run(*named, _WAIT_S)
            except KeyboardInterrupt:
                # Its last words come while it is being stopped.
                orchestrator.end_run(*named)
                raise CancelledError(f"run {request.tenant}/{request.service}: interrupted, and stopped") from None
    finally:
        orchestrator.end_run(*named)
    return status


@contextmanager
def _shown(container: str) -> Iterator[None]:
    """Show what a container writes, each line on the output that it was written to, until it has ended."""
    reader = threading.Thread(target=_show, args=(container,), daemon=True)
    if container:
        reader.start()
    try:
        yield
    finally:
        if container:
            reader.join(_REST_S)


def _show(container: str) -> None:
    try:
        with Engine() as engine:
            for line in engine.log(container, _ALL_LINES, follow=True):
                pass_on(line.text, to_stderr=line.output == _OF_ERRORS)
    except (NotFound, BrokenPipeError):
        # It was removed before all was read, or nobody reads on; the run itself goes on to its end.
        return
    except HostError as error:
        tell_error(f"the run's output is lost from here on, and it goes on: {error}")


def exit_code_of(target: Target, status: RunStatus) -> int:
    """Give the command's own exit code; DeadlineError or HostError where it has none."""
    where = f"run {target.name}"
    if status.exit_code is None:
        kind = DeadlineError if status.late else HostError
        raise kind(f"{where}: {status.reason or 'it was ended by somebody else'}")
    if status.reason:
        tell_error(f"{where}: {status.reason}")
    return status.exit_code

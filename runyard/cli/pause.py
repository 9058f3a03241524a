"""Commands `pause` and `resume`: keep a service's requests from its instances for a while, and send them on again."""

from __future__ import annotations

from dataclasses import asdict

import click

from runyard.cli.live import Duration, Target, find_service, of_service, orchestrator_of
from runyard.cli.output import Output, reporting
from runyard.contracts import PauseRequest
from runyard.units import render_time


@click.command()
@of_service
@click.option(
    "--for", "for_s", type=Duration(), default="1h", show_default=True, metavar="DURATION",
    help="For how long, up to 168h: 90s, 30m or 1h.",
)  # fmt: skip
@reporting()
def pause(target: Target, for_s: int, out: Output) -> None:
    """Keep the requests of SERVICE, public and of other services, from its instances for a while.

    They are held as those of a service without an instance, for its queue-timeout or the Platform's holdTimeoutSeconds,
    so a pause of some seconds loses none; what waited for longer gets 503 with Retry-After, or the service's fallback.
    What instances have goes on to its end, and they stay: when the pause ends all is as it was. It is kept over
    restarts, is no drift of the stack, and ends by itself.
    """
    with orchestrator_of(target.stack) as orchestrator:
        find_service("pause", orchestrator.services(), target)
        made = orchestrator.pause(PauseRequest(target.tenant, target.service, for_s))
    out.show(lambda: asdict(made), lambda: f"{target.name}: paused until {render_time(made.until_unix_s)}")


@click.command()
@of_service
@reporting()
def resume(target: Target, out: Output) -> None:
    """Send the requests of SERVICE to its instances again, first those that are held."""
    with orchestrator_of(target.stack) as orchestrator:
        was = bool(find_service("resume", orchestrator.services(), target).paused_until_unix_s)
        orchestrator.resume(target.tenant, target.service)
    out.show(
        lambda: {"tenant": target.tenant, "service": target.service, "wasPaused": was},
        lambda: f"{target.name}: {'resumed' if was else 'was not paused'}",
    )

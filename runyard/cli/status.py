"""`runyard status`: what the orchestrator sees, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from runyard import contracts, table
from runyard.cli.live import render_standing
from runyard.cli.output import Output, reporting
from runyard.contracts import CertificateStatus, ImageIdentity, OrchestratorStatus, RevisionStatus, ShiftStatus
from runyard.host import Engine, Orchestrator
from runyard.host.claims import Claims, observe_claims
from runyard.host.firewall import FirewallHost
from runyard.names import ROLE_STANDBY, service_key
from runyard.plan.claim import uses_of
from runyard.plan.outlook import render_shares
from runyard.plan.quota import CASES, RESOURCES, Use, render_amount

# Of all resources, those that a host runs out of.
SHOWN = {resource: RESOURCES[resource] for resource in ("services", "instances", "cpu", "memory")}


@click.command()
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack to look at.")
@reporting()
def status(stack: str, out: Output) -> None:
    """Show a live stack's services, their traffic, and their revisions with the reason of the last failure.

    Also what every stack of the host has claimed of it, this one or another.
    """
    with Engine() as engine:
        claims = observe_claims(engine, lambda each: Orchestrator(engine, each))
        if out.form == "text":
            # Before the orchestrator is asked: an update that was killed early leaves a claim and none of the rest.
            out.show(lambda: describe_claims(claims), lambda: render_claims(claims))
        with closing(Orchestrator(engine, stack)) as orchestrator:
            found = orchestrator.status()
            held = orchestrator.holdings()
        fault = FirewallHost(engine, stack).find_fault()
        beside = Beside(held.strangers, find_gone(held.images, engine.image_identity), fault)
    out.show(
        lambda: json.loads(contracts.encode(found)) | asdict(beside) | {"claims": describe_claims(claims)},
        lambda: render_status(found, beside),
        markdown=lambda: render_markdown(found, beside, claims),
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """What is not as it should be beside the services: containers of nobody's, and images that are gone, by name.

    `firewall` says why the host's packet filter does not have the stack's rules; nothing if it has them.
    """

    strangers: tuple[str, ...] = ()
    gone_images: tuple[str, ...] = ()
    firewall: str = ""

    def lines(self) -> list[str]:
        """Say a line for each."""
        lines = [f"stranger: {each} has the stack's labels, is not served and is left alone" for each in self.strangers]
        lines += [f"firewall not in force: {self.firewall}"] if self.firewall else []
        return lines + [
            f"image gone: {each}: what runs goes on, and what starts next or an update brings it back from its registry"
            for each in self.gone_images
        ]


def find_gone(images: Mapping[str, str], find: Callable[[str], object | None]) -> tuple[str, ...]:
    """Name the images, by id and name, of which the engine has none by that id."""
    return tuple(sorted(f"{name} ({ImageIdentity(id_).short})" for id_, name in images.items() if find(id_) is None))


def describe_claims(claims: Claims) -> list[dict[str, Any]]:
    """Describe the claim of each stack as plain data, with how it is known."""
    told = [(claim, "kept") for claim in claims.kept] + [(claim, "pending") for claim in claims.pending]
    return [
        asdict(claim) | {"state": state} for claim, state in sorted(told, key=lambda each: (each[0].stack, each[1]))
    ]


def render_claims(claims: Claims) -> str:
    """Render a line for each claim, for each stack that tells none, and for what is not believed."""
    lines = [f"claim of stack {claim.stack}: {_amounts(claim.services)}" for claim in claims.kept]
    lines += [f"claim of stack {each.stack}, about to be made: {_amounts(each.services)}" for each in claims.pending]
    for stack, why in sorted(claims.silent.items()):
        uses = uses_of((), (each for each in claims.standing if each.stack == stack))
        lines.append(f"stack {stack} counts by its containers, {_amounts(uses)}: {why}")
    if claims.turn:
        lines.append(f"stack {claims.turn} is about to claim")
    lines += [f"not believed, by its name: container {name}" for name in claims.strangers]
    return "\n".join(lines) or "no stack has claimed anything of this host"


def _amounts(uses: Sequence[Use]) -> str:
    parts = []
    for resource, unit in SHOWN.items():
        best, worst = (
            render_amount(_sum([getattr(use, case).get(resource, 0) for use in uses]), unit) for case in CASES
        )
        parts.append(f"{resource} {best} to {worst}")
    return ", ".join(parts)


def _sum(amounts: list[int | None]) -> int | None:
    return None if None in amounts else sum(amount for amount in amounts if amount is not None)


def render_status(found: OrchestratorStatus, beside: Beside) -> str:
    """Render a line for each service, under it one for each of its revisions, and what is not as it should be."""
    lines = []
    for service in found.services:
        shares = render_shares(service.traffic)
        lines.append(f"{service.tenant}/{service.service}  {' '.join(service.hosts)}  {shares}")
        if service.shift is not None:
            lines.append(f"  {_describe_shift(service.shift)}")
        lines += [f"  {each}" for each in render_standing(service)]
        revisions = [
            each for each in found.revisions if (each.tenant, each.service) == (service.tenant, service.service)
        ]
        for revision in revisions:
            lines += _revision_lines(revision)
        idle = [each for each in service.history if each not in {revision.revision for revision in revisions}]
        lines += [f"  kept: {', '.join(idle)}"] if idle else []
    lines += [_certificate_line(each) for each in found.certificates]
    lines += [f"problem: {each}" for each in found.problems]
    lines += [*_part_lines(found), *beside.lines(), _step_line(found)]
    return "\n".join(lines)


def render_markdown(found: OrchestratorStatus, beside: Beside, claims: Claims) -> str:
    """Render services and revisions as tables, and all that is not as it should be as a list."""
    services = [
        (service_key(each.tenant, each.service), " ".join(each.hosts), render_shares(each.traffic))
        for each in found.services
    ]
    revisions = [
        (
            service_key(each.tenant, each.service),
            each.revision,
            "asleep" if each.asleep else f"{each.ready}/{each.desired}",
            each.reason,
        )
        for each in found.revisions
    ]
    notes = [*render_claims(claims).splitlines(), *(_certificate_line(each) for each in found.certificates)]
    notes += [*(f"problem: {each}" for each in found.problems), *_part_lines(found), *beside.lines()]
    lines = [
        *table.render_markdown(("service", "hosts", "traffic"), services),
        "",
        *table.render_markdown(("service", "revision", "ready", "reason"), revisions, right={2}),
        "",
        *(f"- {each}" for each in [*notes, _step_line(found)]),
    ]
    return "\n".join(lines)


def _part_lines(found: OrchestratorStatus) -> list[str]:
    """Say a line for each part of the platform that was started again, and one if the stand-by leads."""
    lines = [
        f"part {each.name}  started again {each.restarts} x: {each.reason}" for each in found.parts if each.restarts
    ]
    return lines + ["the stand-by leads"] * (found.leader == ROLE_STANDBY)


def _step_line(found: OrchestratorStatus) -> str:
    step = "in step" if found.in_step else "not in step"
    return f"{len(found.services)} services, {step} with the gateway at generation {found.generation}"


def _describe_shift(shift: ShiftStatus) -> str:
    goal = ", ".join(f"{share.percent}% {share.revision}" for share in shift.goal if share.percent)
    if shift.stalled:
        return f"shift to {goal} stalled: a new revision has no ready instance; begins again when it has one"
    return f"shifting to {goal}, done in {shift.remaining_s} s"


def _certificate_line(found: CertificateStatus) -> str:
    until = datetime.fromtimestamp(found.not_after, UTC).date().isoformat() if found.not_after else "none"
    problem = f", {found.problem}" if found.problem else ""
    return f"certificate of {found.host}  {found.source}, until {until}{problem}"


def _revision_lines(revision: RevisionStatus) -> list[str]:
    state = "asleep" if revision.asleep else f"{revision.ready}/{revision.desired} ready"
    lines = [f"  {revision.revision}  {state}, {revision.restarts} restarts"]
    if revision.held_s:
        lines[0] += f", capacity taken over is kept for {revision.held_s} s"
    if revision.reason:
        lines.append(f"    {revision.reason}")
        lines += [f"    | {line}" for line in revision.logs]
    return lines

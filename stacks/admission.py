"""Admission: what must hold before any resource is registered, and what a killed update left is cleared away."""

from __future__ import annotations

import datetime
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pulumi

from policies.rule import Context, environment_of
from policies.rules import RULES
from policies.rules.accounts import SHARED
from policies.verdict import Verdict, judge
from runyard.errors import HostError, HostUnreachable, PolicyError
from runyard.host import Engine, admit, parse_deployment, recover
from runyard.host.capacity import observe_capacity
from runyard.host.claims import observe_claims, reserve
from runyard.images import image_reference
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.plan import Plan, check_traffic, plan
from runyard.plan.claim import make_claim
from runyard.plan.quota import Capacity, Use
from runyard.secrets import TenantSecrets, check_references, digest_secrets

# An export reads one file or asks one service; longer means that the backend does not answer.
_EXPORT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Admitted:
    """What policies have let in: manifests and their plan, on an ISO date, and the host's capacity if one answers."""

    manifests: Manifests
    plan: Plan
    day: str
    capacity: Capacity | None

    def check_shared(self, elsewhere: tuple[Use, ...]) -> None:
        """Ask again about what the host's stacks share, now that the others are known; PolicyError as before."""
        context = Context(self.manifests, self.day, environment_of(self.plan.stack), self.capacity, elsewhere=elsewhere)
        _refuse(judge(context, [rule for rule in RULES if rule.id in SHARED]))


def load_plan(stack: str, paths: str, secrets: TenantSecrets) -> Admitted:
    """Load the manifests at `paths` (comma-separated, relative to the project) and plan the stack."""
    root = Path(__file__).resolve().parent.parent
    loaded = load([root / path.strip() for path in paths.split(",")])
    for warning in loaded.warnings:
        pulumi.log.warn(warning.text())
    day, capacity = _today(), _capacity()
    admit_manifests(loaded.manifests, stack, day, capacity)
    planned = plan(loaded.manifests, stack, digest_secrets(secrets))
    check_traffic(planned)
    check_references(planned, secrets)
    return Admitted(loaded.manifests, planned, day, capacity)


def admit_manifests(manifests: Manifests, stack: str, day: str, capacity: Capacity | None) -> None:
    """Ask every policy about manifests on an ISO date; PolicyError with all reasons if one of them refuses."""
    verdict = judge(Context(manifests, day, environment_of(stack), capacity))
    for finding in verdict.warnings:
        pulumi.log.warn(finding.text())
    for finding in verdict.waived:
        pulumi.log.info(finding.text())
    _refuse(verdict)


def _refuse(verdict: Verdict) -> None:
    if verdict.refusals:
        lines = "\n".join(finding.text() for finding in verdict.refusals)
        raise PolicyError(f"policies refuse the change, nothing was touched:\n{lines}")


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _capacity() -> Capacity | None:
    """Ask the host what it has; None without one, which `prepare_host` refuses in an update."""
    try:
        return observe_capacity()
    except HostUnreachable:
        return None


def prepare_host(admitted: Admitted, export: Export, *, dry_run: bool) -> None:
    """Refuse a plan whose names a stranger holds, or for which other stacks leave no room.

    An update also clears away what a killed one left half made, and claims its room before anything is registered. A
    preview claims nothing, and works without an engine: it says so and goes on.
    """
    try:
        engine = Engine()
    except HostUnreachable as error:
        if not dry_run:
            raise
        pulumi.log.info(f"preview without the host: {error}")
        return
    with engine:
        deployment = parse_deployment(export.read())
        if not dry_run:
            for thing in recover(engine, admitted.plan.stack, deployment):
                pulumi.log.info(f"removed {thing.kind} {thing.name}, left half made by an update that was killed")
        admit(admitted.plan, engine.things(), deployment)
        if dry_run:
            admitted.check_shared(observe_claims(engine).elsewhere(admitted.plan.stack))
        else:
            _claim(engine, admitted)


def _claim(engine: Engine, admitted: Admitted) -> None:
    stack = admitted.plan.stack
    generation = observe_claims(engine).generation(stack) + 1
    claim = make_claim(admitted.manifests, admitted.plan, generation)
    # Any image would do, as it never runs: the orchestrator's is there, or this update fails anyway.
    reserve(engine, claim, image_reference("orchestrator"), admitted.check_shared)


class Export:
    """The stack's state as Pulumi exports it, asked for at once and read when it is needed.

    A nested Pulumi takes half a second to start; meanwhile the manifests are loaded. Use it as a context manager.
    """

    def __init__(self, stack: str) -> None:
        """Begin the export of a stack."""
        command = ["pulumi", "stack", "export", "--stack", stack]
        # The program's own monitor addresses must not reach a nested CLI.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_CONFIG_SECRET")}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed argument list
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as error:
            raise HostError(f"export the stack's state: {error}") from error

    def __enter__(self) -> Export:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # One that was not read, because the manifests have problems, may be waiting for its pipe to empty.
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def read(self) -> str:
        """Wait for the export; HostError says why there is none."""
        try:
            output, errors = self._process.communicate(timeout=_EXPORT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise HostError(f"export the stack's state: {error}") from error
        if self._process.returncode:
            raise HostError(f"export the stack's state: {errors.strip()}")
        return output

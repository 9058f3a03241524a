"""Admission: what must hold before any resource is registered, and what a killed update left is cleared away."""

from __future__ import annotations

import datetime
import os
import subprocess
from pathlib import Path
from types import TracebackType

import pulumi

from policies.rule import Context, environment_of
from policies.verdict import judge
from runyard.errors import HostError, HostUnreachable, PolicyError
from runyard.host import Engine, admit, parse_deployment, recover
from runyard.host.capacity import observe_capacity
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.plan import Plan, check_traffic, plan
from runyard.plan.quota import Capacity
from runyard.secrets import TenantSecrets, check_references, digest_secrets

# An export reads one file or asks one service; longer means that the backend does not answer.
_EXPORT_TIMEOUT_S = 60


def load_plan(stack: str, paths: str, secrets: TenantSecrets) -> Plan:
    """Load the manifests at `paths` (comma-separated, relative to the project) and plan the stack."""
    root = Path(__file__).resolve().parent.parent
    loaded = load([root / path.strip() for path in paths.split(",")])
    for warning in loaded.warnings:
        pulumi.log.warn(warning.text())
    admit_manifests(loaded.manifests, stack, _today(), _capacity())
    planned = plan(loaded.manifests, stack, digest_secrets(secrets))
    check_traffic(planned)
    check_references(planned, secrets)
    return planned


def admit_manifests(manifests: Manifests, stack: str, day: str, capacity: Capacity | None) -> None:
    """Ask every policy about manifests on an ISO date; PolicyError with all reasons if one of them refuses."""
    verdict = judge(Context(manifests, day, environment_of(stack), capacity))
    for finding in verdict.warnings:
        pulumi.log.warn(finding.text())
    for finding in verdict.waived:
        pulumi.log.info(finding.text())
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


def prepare_host(planned: Plan, export: Export, *, dry_run: bool) -> None:
    """Refuse a plan whose names a stranger holds and, in an update, clear away what a killed one left half made.

    A preview works without an engine: it says so and goes on.
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
            for thing in recover(engine, planned.stack, deployment):
                pulumi.log.info(f"removed {thing.kind} {thing.name}, left half made by an update that was killed")
        admit(planned, engine.things(), deployment)


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

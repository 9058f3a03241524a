"""Admission: what must hold before any resource is registered, and what a killed update left is cleared away."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pulumi

from runyard.errors import HostError, HostUnreachable
from runyard.host import Engine, admit, parse_deployment, recover
from runyard.manifest import load
from runyard.plan import Plan, check_traffic, plan
from runyard.secrets import TenantSecrets, check_references, digest_secrets

# An export reads one file or asks one service; longer means that the backend does not answer.
_EXPORT_TIMEOUT_S = 60


def load_plan(stack: str, paths: str, secrets: TenantSecrets) -> Plan:
    """Load the manifests at `paths` (comma-separated, relative to the project) and plan the stack."""
    root = Path(__file__).resolve().parent.parent
    loaded = load([root / path.strip() for path in paths.split(",")])
    for warning in loaded.warnings:
        pulumi.log.warn(warning.text())
    planned = plan(loaded.manifests, stack, digest_secrets(secrets))
    check_traffic(planned)
    check_references(planned, secrets)
    return planned


def prepare_host(planned: Plan, *, dry_run: bool) -> None:
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
        deployment = parse_deployment(_export())
        if not dry_run:
            for thing in recover(engine, planned.stack, deployment):
                pulumi.log.info(f"removed {thing.kind} {thing.name}, left half made by an update that was killed")
        admit(planned, engine.things(), deployment)


def _export() -> str:
    command = ["pulumi", "stack", "export", "--stack", pulumi.get_stack()]
    # The program's own monitor addresses must not reach a nested CLI.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_CONFIG_SECRET")}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed argument list
            command, capture_output=True, text=True, timeout=_EXPORT_TIMEOUT_S, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"export the stack's state: {error}") from error
    if done.returncode:
        raise HostError(f"export the stack's state: {done.stderr.strip()}")
    return done.stdout

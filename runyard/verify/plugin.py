"""Fixtures of the checks: the plan that should stand, the host that it should stand on, and what runs there."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import testinfra
import testinfra.host

from runyard import names
from runyard.contracts import OrchestratorStatus
from runyard.host import Engine, Orchestrator
from runyard.plan import Plan

Inspection = dict[str, Any]


class Subject:
    """What the checks look at: the plan, testinfra's host, and the inspected containers of the stack by role."""

    def __init__(self, plan: Plan) -> None:
        """Look at the local machine, or at the one that DOCKER_HOST names over SSH."""
        self.plan = plan
        self.host = testinfra.get_host("local://")

    def inspect(self, name: str) -> Inspection:
        """Inspect a container by name."""
        found: Inspection = self.host.docker(name).inspect()
        return found

    def containers(self, role: str | None = None) -> list[Inspection]:
        """Inspect every container of the stack, or those of one role, running or not."""
        filters = [f"{names.STACK}={self.plan.stack}"] + ([f"{names.ROLE}={role}"] if role else [])
        found = self.host.docker.get_containers(label=filters)
        return [container.inspect() for container in found]

    def status(self) -> OrchestratorStatus:
        """Ask the orchestrator what it sees."""
        with Engine() as engine, closing(Orchestrator(engine, self.plan.stack)) as orchestrator:
            return orchestrator.status()


class VerifyPlugin:
    """A pytest plugin that gives the checks their subject and one test for each planned thing."""

    def __init__(self, plan: Plan) -> None:
        """Verify against this plan."""
        self._subject = Subject(plan)

    @pytest.fixture(scope="session")
    def subject(self) -> Subject:
        """Give the one subject of the run."""
        return self._subject

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test for each network, template, revision or service of the plan, named after it."""
        plan = self._subject.plan
        things: dict[str, dict[str, Any]] = {
            "network": {network.name: network for network in plan.networks},
            "template": {each.name: each for service in plan.services for each in service.revision.templates},
            "service": {f"{service.tenant}/{service.name}": service for service in plan.services},
            "part": {part: names.platform_container(plan.stack, part) for part in ("gateway", "orchestrator")},
        }
        for argument, planned in things.items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, list(planned.values()), ids=list(planned))

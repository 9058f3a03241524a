"""Fixtures of the checks: the plan that should stand, the host that it should stand on, and what runs there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
import testinfra
import testinfra.host

from runyard import names
from runyard.contracts import Holdings, OrchestratorStatus, RevisionDocument
from runyard.errors import HostError
from runyard.host import Engine, Orchestrator
from runyard.host.firewall import FirewallHost
from runyard.plan import Plan, RevisionPlan
from runyard.plan.history import Pasts

Inspection = dict[str, Any]


class Subject:
    """What the checks look at: the plan, testinfra's host, and the inspected containers of the stack by role."""

    def __init__(self, plan: Plan, pasts: Pasts, *, deep: bool = False) -> None:
        """Look at the local machine, or at the one that DOCKER_HOST names over SSH.

        `pasts` are the documents in the stack's state, by `tenant/service`; `deep` wakes what sleeps.
        """
        self.plan, self.deep = plan, deep
        self._signed = {
            (each.document.tenant, each.identity): each.document for documents in pasts.values() for each in documents
        }
        self._inspected: list[Inspection] | None = None
        self._leaving: frozenset[str] = frozenset()
        self.host = testinfra.get_host("local://")

    def inspect(self, name: str) -> Inspection:
        """Inspect a container by name."""
        found: Inspection = self.host.docker(name).inspect()
        return found

    def signed(self, revision: RevisionPlan) -> RevisionDocument | None:
        """Give the document of a revision as it was signed, with its images; None if the state has none."""
        return self._signed.get((revision.document.tenant, revision.identity))

    def containers(self, role: str | None = None) -> list[Inspection]:
        """Give every container of the stack, or those of one role, running or not, as they were at the first look."""
        if self._inspected is None:
            # Before the listing: what goes in between was on its way already.
            self._leaving = self._ask_leaving()
            found = self.host.docker.get_containers(label=f"{names.STACK}={self.plan.stack}")
            self._inspected = self._inspect_all([container.name for container in found])
        return [each for each in self._inspected if role in (None, each["Config"]["Labels"].get(names.ROLE))]

    def _inspect_all(self, containers: Sequence[str]) -> list[Inspection]:
        """Inspect containers in one command; what has gone since it was listed is no more there."""
        if not containers:
            return []
        done = self.host.run("docker inspect" + " %s" * len(containers), *containers)
        if any("No such object" not in line for line in done.stderr.splitlines()):
            raise HostError(f"inspect the stack's containers: {done.stderr.strip()}")
        found: list[Inspection] = json.loads(done.stdout)
        return found

    def leaving(self) -> frozenset[str]:
        """Give the ids of the instances that were on their way out at the first look.

        They are drained, or their revision still serves while the traffic moves on to another one bit by bit.
        """
        self.containers()
        return self._leaving

    def image_environment(self, image: str) -> list[str]:
        """Give the variables that an image sets itself."""
        return (
            json.loads(self.host.check_output("docker image inspect --format '{{json .Config.Env}}' %s", image)) or []
        )

    def _ask_leaving(self) -> frozenset[str]:
        with Engine() as engine, closing(Orchestrator(engine, self.plan.stack)) as orchestrator:
            status, instances = orchestrator.status(), orchestrator.instances().instances
        shifts = {(each.tenant, each.service): each for each in status.services if each.shift is not None}
        serving = {
            (*service, share.revision) for service, each in shifts.items() for share in each.traffic if share.percent
        }
        return frozenset(
            each.instance
            for each in instances
            if each.run or each.state == "ending" or (each.tenant, each.service, each.revision) in serving
        )

    def status(self) -> OrchestratorStatus:
        """Ask the orchestrator what it sees."""
        with Engine() as engine, closing(Orchestrator(engine, self.plan.stack)) as orchestrator:
            return orchestrator.status()

    def firewall_fault(self) -> str:
        """Say why the host's packet filter does not have the rules that the stack's part keeps; nothing if it has."""
        with Engine() as engine:
            return FirewallHost(engine, self.plan.stack).find_fault()

    def holdings(self) -> Holdings:
        """Ask the orchestrator what it has."""
        with Engine() as engine, closing(Orchestrator(engine, self.plan.stack)) as orchestrator:
            return orchestrator.holdings()


class VerifyPlugin:
    """A pytest plugin that gives the checks their subject and one test for each planned thing."""

    def __init__(self, plan: Plan, pasts: Pasts, *, deep: bool = False) -> None:
        """Verify against this plan, and against the documents that the stack's state has signed."""
        self._subject = Subject(plan, pasts, deep=deep)

    @pytest.fixture(scope="session")
    def subject(self) -> Subject:
        """Give the one subject of the run."""
        return self._subject

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test for each network, part or service of the plan, named after it."""
        plan = self._subject.plan
        things: dict[str, dict[str, Any]] = {
            "network": {network.name: network for network in plan.networks},
            "service": {f"{service.tenant}/{service.name}": service for service in plan.services},
            "part": {each.part.name: each for each in plan.parts},
        }
        for argument, planned in things.items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, list(planned.values()), ids=list(planned))

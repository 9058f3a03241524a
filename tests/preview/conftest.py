"""Pulumi's mocks: every resource that a plan registers, with its type, name, parent, inputs and outputs."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import pytest
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from components.platform import Given, build, close
from runyard.plan import Plan


def pytest_configure(config: pytest.Config) -> None:
    # Pulumi's SDK makes an event loop and a channel in each of its threads and closes none of them.
    config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")


def pytest_sessionfinish() -> None:
    # Those of the last tests, before pytest looks for what was left and no filter holds any more.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@dataclass
class Registered:
    """A registered resource; `secret` names the inputs that were registered as secrets."""

    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    depends_on: list[str] = field(default_factory=list)
    secret: set[str] = field(default_factory=set)
    ignored: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    outputs: set[str] | None = None


class Echo(mocks.Mocks):
    """Gives each resource an id and its own inputs back, and the signing key a pair."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made = {"public": "PUBLIC", "private": "PRIVATE"} if args.typ == "runyard:index:SigningKey" else {}
        return f"{args.name}-id", {**args.inputs, **made}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        return {}


class RecordingMonitor(mocks.MockMonitor):
    """Pulumi's own mock monitor, which also keeps what it was asked; resources of some names fail, as told to it."""

    def __init__(self, failing: Collection[str] = ()) -> None:
        super().__init__(Echo())
        self.registered: dict[str, Registered] = {}
        self._failing = failing

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        answer = super().RegisterResource(request)
        sealed = rpc.deserialize_properties(request.object, keep_unknowns=True)
        secrets = {key for key, value in sealed.items() if rpc.is_rpc_secret(value)}
        inputs = {key: rpc.unwrap_rpc_secret(value) for key, value in sealed.items()}
        depends_on = [urn.rsplit("::", 1)[1] for urn in request.dependencies]
        parent = request.parent.rsplit("::", 1)[-1]
        told = list(request.ignoreChanges), list(request.hideDiffs)
        self.registered[answer.urn] = Registered(request.type, request.name, parent, inputs, depends_on, secrets, *told)
        if request.name in self._failing:
            # As an engine that goes on after an error answers.
            answer.result = resource_pb2.FAIL
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        if request.urn in self.registered:
            self.registered[request.urn].outputs = set(request.outputs.keys())
        return super().RegisterResourceOutputs(request)


class Preview:
    """What a plan registers, by kind and by name."""

    def __init__(
        self,
        plan: Plan,
        secrets: dict[str, dict[str, str]] | None = None,
        failing: Collection[str] = (),
        **more: Any,
    ) -> None:
        given = Given(claim='{"stack":"dev"}', secrets=secrets or {}, **more)
        monitor = RecordingMonitor(failing)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        mocks.set_mocks(monitor.mocks, project="runyard", stack=plan.stack, preview=False, monitor=monitor)
        try:
            loop.run_until_complete(run_pulumi_func(lambda: close(build(plan, given), plan, given)))
        finally:
            loop.close()
        self.all = [each for each in monitor.registered.values() if each.type != "pulumi:pulumi:Stack"]

    def of(self, kind: str) -> list[Registered]:
        return [each for each in self.all if each.type == kind]

    def named(self, name: str) -> Registered:
        (found,) = [each for each in self.all if each.name == name]
        return found


@pytest.fixture
def preview() -> Callable[..., Preview]:
    return Preview

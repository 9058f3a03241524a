"""Pack: what Pulumi's engine asks of the rules, in plain values; whatever fails on the way refuses."""

from __future__ import annotations

from collections.abc import Callable

from policies.declared import KeptServices, Settings, judge_declared, observe_host, observe_state, today
from policies.resource import Resource
from policies.rule import Finding
from policies.stack import Stack
from runyard.errors import UsageError
from runyard.plan.quota import Capacity


class Pack:
    """The rules, for one preview or update of one stack."""

    def __init__(
        self,
        state: Callable[[Settings], KeptServices] = observe_state,
        capacity: Callable[[], Capacity | None] = observe_host,
        today: Callable[[], str] = today,
    ) -> None:
        """Begin without a stack; what is outside of the manifests is asked for when it is needed."""
        self._observe_state, self._capacity, self._today = state, capacity, today
        self._stack: Stack | None = None

    def configure(self, settings: Settings) -> None:
        """Judge what a stack declares, before anything of it registers; PolicyError with every reason that refuses it.

        Raises what reading manifests and state raises.
        """
        read: list[KeptServices] = []

        def state() -> KeptServices:
            if not read:
                read.append(self._observe_state(settings))
            return read[0]

        context, verdict = judge_declared(settings, state, self._capacity, self._today())
        verdict.check()
        told = (*verdict.findings, *verdict.waived)
        self._stack = Stack(context, told, lambda: state().pasts, dry_run=settings.dry_run)

    def judge(self, resource: Resource) -> list[Finding]:
        """Say what a resource breaks; UsageError before there is a stack."""
        if self._stack is None:
            raise UsageError("policy pack: must be told its stack before a resource, got none")
        return self._stack.judge(resource)

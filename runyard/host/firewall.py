"""Firewall on the host: a stack's rules are tried and removed in a container of its image, and asked after in its part.

What may change the host's packet filter comes with the image, so the host needs no tool, and its user no right but to
the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runyard import names
from runyard.errors import Conflict, NotFound, RefusedConfiguration
from runyard.host.engine import Task

_COMMAND = "runyard-firewall"


class Host(Protocol):
    """As much of the engine as this needs."""

    def run(self, task: Task) -> tuple[int, str]:
        """Run a container to its end and give its exit code and what it wrote."""
        ...

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside a running container and give its exit code and what it wrote."""
        ...

    def discard(self, container: str) -> None:
        """Remove a container; one that is gone already is fine."""
        ...


class FirewallHost:
    """The firewall of one stack."""

    def __init__(self, host: Host, stack: str) -> None:
        """Look at the firewall of `stack` on `host`."""
        self._host = host
        self._stack = stack

    def attempt(self, image: str, rules: str) -> None:
        """Have the kernel judge rules without putting them in force; RefusedConfiguration says why it would not."""
        code, output = self._run(image, "try", rules)
        if code:
            raise RefusedConfiguration(output.strip())

    def remove(self, image: str) -> None:
        """Remove the stack's rules; that there are none is fine. RefusedConfiguration where the kernel would not."""
        code, output = self._run(image, "remove")
        if code:
            table = names.firewall_table(self._stack)
            raise RefusedConfiguration(f"remove table ip {table} of the host's packet filter: {output.strip()}")

    def find_fault(self) -> str:
        """Say on one line why the kernel does not have the rules that the stack's part keeps; nothing if it has."""
        container = names.platform_container(self._stack, names.ROLE_FIREWALL)
        try:
            code, output = self._host.execute(container, (_COMMAND, "check"))
        except NotFound:
            return "the stack has no firewall (spec.firewall.enabled, or an earlier version made it)"
        except Conflict as error:
            # Stopped, or about to be started.
            return f"nobody keeps the rules: {error}"
        return " ".join(output.split()) if code else ""

    def _run(self, image: str, command: str, rules: str = "") -> tuple[int, str]:
        name = names.task_container(self._stack, names.ROLE_FIREWALL_TASK)
        # One of an update that was killed half-way has the name.
        self._host.discard(name)
        return self._host.run(
            Task(
                name=name,
                image=image,
                command=(command,),
                labels={names.STACK: self._stack, names.ROLE: names.ROLE_FIREWALL_TASK},
                environment={"RUNYARD_STACK": self._stack, "RUNYARD_RULES": rules},
                volumes={},
                capabilities=names.FIREWALL_CAPABILITIES,
            )
        )

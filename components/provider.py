"""Provider: what a dynamic resource does whose state is the orchestrator's: apply and remove a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pulumi import dynamic

from components import request
from runyard.host import Orchestrator


class RequestProvider(dynamic.ResourceProvider, ABC):
    """Puts a request in force through the stack's orchestrator and takes it out again; both can be repeated.

    A resource's inputs are the request's fields and `stack`. HostError of the orchestrator fails the operation.
    """

    # It holds no state, so there is nothing to encrypt; as a secret it would cost a decryption for each resource.
    serialize_as_secret_always = False

    @abstractmethod
    def name(self, props: dict[str, Any]) -> str:
        """Give what tells the request from others of its kind in its stack, parted by slashes."""

    @abstractmethod
    def apply(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Put the request in force, in place of what it was before."""

    @abstractmethod
    def remove(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Take the request out of force."""

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Put the request in force."""
        self._apply(props)
        return dynamic.CreateResult(f"{props['stack']}/{self.name(props)}", outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Put the new request in force."""
        self._apply(news)
        return dynamic.UpdateResult(outs=news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Take the request out of force; without an orchestrator nothing is, and its volume goes with the stack."""
        with request.orchestrator(props["stack"]) as orchestrator:
            if orchestrator.running():
                self.remove(orchestrator, props)

    def _apply(self, props: dict[str, Any]) -> None:
        with request.orchestrator(props["stack"]) as orchestrator:
            self.apply(orchestrator, props)

"""Alertmanager of a stack, told whom to tell through the Docker API: its socket is in the container."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Protocol

from runyard import names
from runyard.errors import HostError, RefusedConfiguration
from runyard.host.relay import Relay

_PATH = "/v1/configuration"
# Finding the names of many receivers, and a reload, on a busy host.
_ANSWER_S = 40.0
# A container that the engine has just started needs this long at worst until its socket is there.
_START_S = 30.0
_RETRY_S = 0.1


class Host(Protocol):
    """As much of the engine as this needs."""

    def relay(self, container: str, command: Sequence[str]) -> Relay:
        """Start a command inside a running container and speak HTTP with it."""
        ...

    def running(self, container: str) -> bool:
        """Say whether a container runs."""
        ...


class AlertmanagerHost:
    """The Alertmanager of one stack, as far as its receivers go."""

    def __init__(
        self,
        host: Host,
        stack: str,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._host = host
        self._container = names.platform_container(stack, names.ROLE_ALERTMANAGER)
        self._clock = clock
        self._wait = wait

    def put(self, configuration: str) -> None:
        """Put receivers in force; RefusedConfiguration says which one cannot be, and leaves the old ones."""
        deadline = self._clock() + _START_S
        while True:
            try:
                status, text = self._ask("PUT", configuration)
            except HostError:
                if self._clock() >= deadline:
                    raise
                self._wait(_RETRY_S)
                continue
            if status == 422:
                raise RefusedConfiguration(text)
            if status != 204:
                raise HostError(f"put receivers: Alertmanager's guard answers {status}: {text.strip()}")
            return

    def digest(self) -> str:
        """Give the SHA-256 of the receivers that are kept; empty where none can be asked."""
        try:
            if not self._host.running(self._container):
                return ""
            status, text = self._ask("GET", "")
        except HostError:
            return ""
        return text.strip() if status == 200 else ""

    def running(self) -> bool:
        """Say whether there is one at all."""
        return self._host.running(self._container)

    def _ask(self, method: str, body: str) -> tuple[int, str]:
        with closing(self._host.relay(self._container, names.ALERTMANAGER_RELAY)) as relay:
            return relay.request(method, _PATH, body, _ANSWER_S)

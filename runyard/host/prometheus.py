"""Prometheus of a stack, asked through the Docker API: its port is on the host's loopback, which may be elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from runyard import names
from runyard.errors import HostError, NotFound, RelayEnded
from runyard.host.relay import Relay

# Prometheus itself gives up on a query after two minutes; nobody looks at a screen for so long.
_ANSWER_S = 20.0


class Host(Protocol):
    """As much of the engine as this needs."""

    def relay(self, container: str, command: Sequence[str]) -> Relay:
        """Start a command inside a running container and speak HTTP with it."""
        ...


class PrometheusHost:
    """The Prometheus of one stack, over one connection; close it after the last question."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
        self._stack = stack
        self._container = names.platform_container(stack, names.ROLE_PROMETHEUS)
        self._relay: Relay | None = None

    def ask(self, target: str) -> str:
        """Give the body of its answer to a GET; NotFound where the stack has none, HostError for any problem."""
        try:
            status, text = self._exchange(target)
        except NotFound as error:
            hint = "`observability: {level: basic}` in its Platform has it keep them"
            raise NotFound(f"stack {self._stack} keeps no metrics: {hint} (docs/manifest.md)") from error
        if status != 200:
            raise HostError(f"ask Prometheus: it answers {status}: {_reason(text)}")
        return text

    def close(self) -> None:
        """Close the connection, if there is one; the next question opens another."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def _exchange(self, target: str) -> tuple[int, str]:
        # One that was idle for long, or whose Prometheus was started again, is opened anew, once.
        kept = self._relay is not None
        while True:
            relay = self._relay = self._relay or self._host.relay(self._container, names.PROMETHEUS_RELAY)
            try:
                return relay.request("GET", target, "", _ANSWER_S)
            except HostError as error:
                # What is left of an answer must not be taken for that to the next question.
                self.close()
                if not (kept and isinstance(error, RelayEnded)):
                    raise
                kept = False


def _reason(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200]

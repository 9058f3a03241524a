"""Logs of a stack, read from its store through the Docker API: no port leads to its socket, in the container."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

from runyard import names
from runyard.codec import decode
from runyard.contracts import LogPage
from runyard.errors import HostError, UsageError
from runyard.host.relay import Relay

if TYPE_CHECKING:
    from runyard.host.thing import Found

# A search through all that is kept of a large service; the part itself gives up before.
_ANSWER_S = 90.0


class Host(Protocol):
    """As much of the engine as this needs."""

    def relay(self, container: str, command: Sequence[str]) -> Relay:
        """Start a command inside a running container and speak HTTP with it."""
        ...

    def labelled(self, label: str) -> list[Found]:
        """List the containers with a label, running or not."""
        ...


class Logs:
    """The logs of one stack, over one connection; close it after the last question."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
        self._relay: Relay | None = None
        self._container = names.platform_container(stack, names.ROLE_LOGS)

    def kept(self) -> bool:
        """Say whether the stack keeps logs, whether or not it can be asked for them just now."""
        return self._container in {each.name for each in self._host.labelled(f"{names.ROLE}={names.ROLE_LOGS}")}

    def read(self, tenant: str, service: str, asked: Sequence[tuple[str, str]]) -> LogPage:
        """Give the newest entries that were asked for; UsageError says what of it does not fit, HostError what failed.

        The keys are `since`, `until`, `revision`, `instance`, `grep`, `request`, `severity`, `field` and `limit`.
        """
        if self._relay is None:
            self._relay = self._host.relay(self._container, names.LOGS_RELAY)
        path = f"/v1/tenants/{quote(tenant, safe='')}/services/{quote(service, safe='')}/log?{urlencode(asked)}"
        status, text = self._relay.request("GET", path, "", _ANSWER_S)
        if status == 200:
            return decode(LogPage, text)
        try:
            detail = str(json.loads(text)["detail"])
        except (ValueError, KeyError, TypeError):
            detail = f"the logs' part answers {status}"
        raise (UsageError if status == 400 else HostError)(detail)

    def close(self) -> None:
        """Close the connection."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None

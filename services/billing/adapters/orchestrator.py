"""Orchestrator: told on a unix socket what budgets restrict."""

from __future__ import annotations

import http.client
from pathlib import Path

from runyard.ask import ask
from runyard.codec import encode
from runyard.contracts import Restrictions
from runyard.errors import RunyardError


class OrchestratorUnavailable(RunyardError):
    """The orchestrator does not take what budgets restrict; what it took last holds until its end."""


class Orchestrator:
    """The orchestrator behind a socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def restrict(self, restrictions: Restrictions) -> None:
        """Have these restrictions in the place of all that there were; OrchestratorUnavailable where it takes none."""
        try:
            status, body = ask(str(self._socket), "PUT", "/v1/restrictions", encode(restrictions))
        except (OSError, http.client.HTTPException) as error:
            raise OrchestratorUnavailable(f"tell the orchestrator of budgets: {error}") from error
        if status != http.client.OK:
            raise OrchestratorUnavailable(f"tell the orchestrator of budgets: it answered {status}: {body.strip()}")

"""Console of a stack, asked through the Docker API, as only the host's administrator can."""

from __future__ import annotations

import json
from collections.abc import Mapping

from runyard import names
from runyard.host.asking import Host, ask_part


class Console:
    """The console of one stack; NotFound where the stack has none, HostError where it fails."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
        self._absent = f'stack {stack} has no console: `console: "on"` in its Platform gives it one (docs/manifest.md)'
        self._container = names.platform_container(stack, names.ROLE_CONSOLE)

    def invite(self, email: str, tenant: str, role: str) -> str:
        """Invite somebody to a tenant and give the link, which works once; UsageError says what does not fit."""
        return self._link("/v1/invitations", {"email": email, "tenant": tenant, "role": role})

    def reset(self, email: str) -> str:
        """Let somebody set another password, and give the link, which works once; UsageError where nobody is known."""
        return self._link("/v1/resets", {"email": email})

    def _link(self, path: str, body: Mapping[str, str]) -> str:
        command = (*names.CONSOLE_ASK, "POST", path, json.dumps(body))
        answer = ask_part(self._host, self._container, command, self._absent)
        return str(json.loads(answer)["link"])

"""Console of a stack, asked through the Docker API, as only the host's administrator can."""

from __future__ import annotations

import json

from runyard import names
from runyard.host.asking import Host, ask_part


class Console:
    """The console of one stack; NotFound where the stack has none, HostError where it fails."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
        self._container = names.platform_container(stack, names.ROLE_CONSOLE)

    def invite(self, email: str, tenant: str, role: str) -> str:
        """Invite somebody to a tenant and give the link, which works once; UsageError says what does not fit."""
        body = json.dumps({"email": email, "tenant": tenant, "role": role})
        answer = ask_part(self._host, self._container, (*names.CONSOLE_ASK, "POST", "/v1/invitations", body))
        return str(json.loads(answer)["link"])

"""Local issuer: certificates of the stack's own CA, whose key never leaves the orchestrator's volume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from runyard.errors import UsageError
from services.orchestrator.model.pair import Pair
from services.orchestrator.tls.authority import Authority, create_authority
from services.orchestrator.tls.certificate import describe_authority
from services.orchestrator.tls.certificates import Source
from services.orchestrator.tls.vault import Vault

SHELF = "authority"


class LocalIssuer:
    """Signs at once whatever is below the domain."""

    source: Source = "local"
    at_once = True

    def __init__(self, authority: Authority, now: Callable[[], float]) -> None:
        self._authority = authority
        self._now = now
        # Certificates of a CA that nobody trusts any more are not used again.
        self.shelf = "local-" + hashlib.sha256(authority.pair.chain.encode()).hexdigest()[:8]

    async def issue(self, host: str) -> Pair:
        """Sign a certificate; UsageError for a host outside the domain."""
        return self._authority.issue(host, self._now())

    def authority(self) -> str:
        """Give the CA's own certificate, which clients are to trust."""
        return self._authority.pair.chain


def open_authority(vault: Vault, domain: str, stack: str, now: float) -> Authority:
    """Give the CA of a domain, made on first use, or anew when the one kept has ended or cannot be read."""
    pair = vault.get(SHELF, domain)
    if pair is not None:
        try:
            if describe_authority(pair).not_after > now:
                return Authority(pair, domain)
        except UsageError:
            # Whoever trusted it has to trust the new one; `runyard status` shows that certificates changed.
            pass
    authority = create_authority(domain, stack, now)
    vault.put(SHELF, domain, authority.pair)
    return authority

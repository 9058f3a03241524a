"""Pair: a certificate's chain with its private key, as the gateway is sent it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pair:
    """A chain, the leaf first, and the leaf's private key, both PEM; it prints itself without the key."""

    chain: str
    key: str = field(repr=False)

    def message(self) -> str:
        """Write what the gateway is sent, canonical JSON."""
        return json.dumps({"chain": self.chain, "key": self.key}, sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """Hash the message as the gateway does, to see whether it has this pair."""
        return hashlib.md5(self.message().encode(), usedforsecurity=False).hexdigest()

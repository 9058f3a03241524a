"""TLS of the gateway, as data: where certificates come from and what clients of plain HTTP are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TlsMode = Literal["none", "local", "files", "acme"]


@dataclass(frozen=True, slots=True)
class Acme:
    """Where certificates are ordered (RFC 8555); `ca_bundle` is the PEM of a private server's own CA."""

    directory: str
    contacts: tuple[str, ...] = ()
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """Where certificates come from, where the gateway speaks TLS, and what clients of plain HTTP are told."""

    mode: TlsMode = "none"
    port: int = 3443
    redirect: bool = True
    hsts_s: int = 0
    acme: Acme | None = None

    @property
    def on(self) -> bool:
        """Whether the gateway speaks TLS at all."""
        return self.mode != "none"

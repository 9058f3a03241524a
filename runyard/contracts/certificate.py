"""Certificate messages: how the orchestrator comes to certificates, those it is given, and what it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What the orchestrator is told of TLS when it starts; `acme_ca` is the PEM of a private ACME server's CA."""

    mode: Literal["none", "local", "files", "acme"] = "none"
    domain: str = "localhost"
    acme_directory: str = ""
    acme_contacts: tuple[str, ...] = ()
    acme_ca: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Asks the orchestrator to answer the hosts that a certificate names with it; PEM, the leaf first."""

    name: str
    chain: str
    # Never in a log: not even a message that is printed whole shows it.
    key: str = field(repr=False)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """A host's certificate; `not_after` in seconds since 1970, 0 where there is none, and `problem` what is wrong."""

    host: str
    source: Literal["local", "file", "acme", "none"]
    not_after: int = 0
    problem: str = ""

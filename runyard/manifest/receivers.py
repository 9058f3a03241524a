"""Receivers: whom alerts are told to, as a Platform and its Tenants say it; rules, and raw data to typed data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from runyard.manifest.documents import YamlDocument
from runyard.manifest.model import Platform, Tenant
from runyard.manifest.observability import Receiver, ReceiverKind, SecretKey
from runyard.manifest.problems import Findings, Path, Problem, render_value
from runyard.manifest.raw import Raw, mapping_at, mappings_at, text_at, value_at

KINDS: tuple[ReceiverKind, ...] = ("webhook", "slack", "email")
_PLATFORM, _TENANT = ("spec", "observability", "receivers"), ("spec", "receivers")
_SERVER = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?:([0-9]{1,5})")
# TLS from the first byte: Alertmanager speaks it by the number of the port, which the guard in front of it hides.
_IMPLICIT_TLS_PORT = 465


def check_receivers(document: Raw, findings: Findings) -> None:
    """Check the receivers of a Platform or of a Tenant."""
    path = _PLATFORM if document.get("kind") == "Platform" else _TENANT
    seen: set[str] = set()
    for index, receiver in mappings_at(document, *path):
        name = text_at(receiver, "name")
        if name and name in seen:
            findings.error(
                (*path, index, "name"), "receivers.unique", f"must be unique, got {render_value(name)} twice"
            )
        seen.add(name)
        kinds = [kind for kind in KINDS if kind in receiver]
        if len(kinds) != 1:
            message = f"must have one of {', '.join(KINDS)}, got {' and '.join(kinds) or 'none'}"
            findings.error((*path, index), "receivers.kind", message)
        for kind in kinds:
            _check_address(mapping_at(receiver, kind), (*path, index, kind), findings)


def check_told(
    tenants: Iterable[tuple[Tenant, YamlDocument]], platform: Platform, document: YamlDocument | None
) -> Iterator[Problem]:
    """Warn of receivers that are told nothing, because the Platform's `observability` keeps no metrics."""
    if platform.observability.on:
        return
    said: list[tuple[YamlDocument, Path]] = [(each, _TENANT) for tenant, each in tenants if tenant.receivers]
    if document is not None and platform.observability.receivers:
        said.append((document, _PLATFORM))
    for each, path in said:
        findings = Findings(each.locate)
        findings.warning(path, "receivers.told", "are told nothing while the Platform's observability.level is none")
        yield from findings.problems


def _check_address(said: Raw, path: Path, findings: Findings) -> None:
    if path[-1] == "email":
        server = value_at(said, "server")
        match = _SERVER.fullmatch(server) if isinstance(server, str) else None
        if isinstance(server, str) and (match is None or not 1 <= int(match[2]) <= 65535):
            message = f"must be HOST:PORT, got {render_value(server)}"
            findings.error((*path, "server"), "receivers.server", message)
        elif match and int(match[2]) == _IMPLICIT_TLS_PORT:
            message = f"must be a server that speaks STARTTLS, such as at port 587, got {render_value(server)}"
            findings.error((*path, "server"), "receivers.server", message)
        if ("username" in said) != ("passwordFrom" in said):
            alone = "username" if "username" in said else "passwordFrom"
            findings.error(path, "receivers.login", f"must have username and passwordFrom together, got {alone} alone")
        return
    if ("url" in said) == ("urlFrom" in said):
        got = "both" if "url" in said else "neither"
        findings.error(path, "receivers.url", f"must have one of url and urlFrom, got {got}")
    url = value_at(said, "url")
    if isinstance(url, str) and not is_url(url):
        # It may hold a token: what was seen is not repeated.
        findings.error((*path, "url"), "receivers.url", "must be an http or https URL with a host, got another text")


def is_url(text: str) -> bool:
    """Tell whether a text is a URL that a receiver can have."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    clean = text.isascii() and text.isprintable() and " " not in text
    return clean and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


def build_receivers(said: Any) -> tuple[Receiver, ...]:
    """Build the receivers of a list without errors."""
    return tuple(map(_build, said or ()))


def _build(said: Raw) -> Receiver:
    (kind,) = (each for each in KINDS if each in said)
    how = said[kind]
    return Receiver(
        name=said["name"],
        kind=kind,
        url=how.get("url", ""),
        url_from=_secret(how.get("urlFrom")),
        channel=how.get("channel", ""),
        to=tuple(how.get("to", ())),
        sender=how.get("from", ""),
        server=how.get("server", ""),
        username=how.get("username", ""),
        password_from=_secret(how.get("passwordFrom")),
    )


def _secret(said: Raw | None) -> SecretKey | None:
    if said is None:
        return None
    named = said["secretKeyRef"]
    return SecretKey(named["name"], named.get("key", SecretKey("").key))

"""Rules of the gateway's TLS, and raw data to typed data."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import Raw, mapping_at, number_at, text_at, value_at
from runyard.manifest.tls import Acme, Tls

_PATH = ("spec", "gateway", "tls")
_ACME = (*_PATH, "acme")
_MAIL = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+")
# Mozilla's recommendation and what preload lists ask for: two years.
_HSTS_S = 63_072_000


def check_tls(platform: Raw, taken_ports: frozenset[int], findings: Findings) -> None:
    """Check a Platform's TLS; `taken_ports` are those of its other listeners."""
    mode, port = text_at(platform, *_PATH, "mode") or "none", number_at(platform, *_PATH, "port")
    if mode != "none" and (port or Tls().port) in taken_ports:
        message = f"must differ from the other ports of the platform, got {port or Tls().port} for two of them"
        findings.error((*_PATH, "port") if port else (*_PATH, "mode"), "platform.ports", message)
    given = value_at(platform, *_ACME) is not None
    if given is not (mode == "acme"):
        rule = "must be there when mode is acme" if mode == "acme" else "must be left out unless mode is acme"
        findings.error(_ACME if given else (*_PATH, "mode"), "platform.acme", f"acme {rule}, got mode {mode}")
    if given:
        _check_acme(platform, findings)


def build_tls(platform: Raw) -> Tls:
    """Build TLS settings from data without errors."""
    tls, defaults = mapping_at(platform, *_PATH), Tls()
    mode = tls.get("mode", defaults.mode)
    # A browser that was told by hello.localhost:3443 would also refuse plain HTTP on every other port of that host.
    hsts_s = _HSTS_S if mode in ("files", "acme") else 0
    return Tls(
        mode=mode,
        port=int(tls.get("port", defaults.port)),
        redirect=tls.get("redirect", defaults.redirect),
        hsts_s=int(tls.get("hstsMaxAgeSeconds", hsts_s)),
        acme=_build_acme(mapping_at(tls, "acme")) if mode == "acme" else None,
    )


def _build_acme(acme: Raw) -> Acme:
    return Acme(acme["directory"], tuple(acme.get("contacts", ())), acme.get("caBundle", ""))


def _check_acme(platform: Raw, findings: Findings) -> None:
    directory = text_at(platform, *_ACME, "directory")
    try:
        parts = urlsplit(directory)
        fits = parts.scheme == "https" and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        fits = False
    if directory and not fits:
        message = f"must be an https:// URL without a user, got {render_value(directory)}"
        findings.error((*_ACME, "directory"), "platform.acme", message)
    contacts = value_at(platform, *_ACME, "contacts")
    for index, contact in enumerate(contacts if isinstance(contacts, list) else ()):
        if isinstance(contact, str) and not _MAIL.fullmatch(contact):
            message = f"must be a mail address, got {render_value(contact)}"
            findings.error((*_ACME, "contacts", index), "platform.acme", message)
    bundle = text_at(platform, *_ACME, "caBundle")
    if bundle and "-----BEGIN CERTIFICATE-----" not in bundle:
        findings.error((*_ACME, "caBundle"), "platform.acme", "must be certificates in PEM, got none")

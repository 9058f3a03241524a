"""Hosts that may be asked: this machine, and others that somebody has named; anything else would be an attack."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
_LOCAL = "localhost"


def host_of(url: str) -> str:
    """Give the host of a URL, in small letters and without brackets."""
    return urlsplit(url).hostname or ""


def is_local_name(host: str) -> bool:
    """Tell whether a name stands for this machine wherever it is asked for (RFC 6761, 6.3)."""
    return host == _LOCAL or host.endswith(f".{_LOCAL}")


def is_allowed(url: str, named: Collection[str]) -> bool:
    """Tell whether a URL may be asked: its host is this machine's, or among those that are named."""
    host = host_of(url)
    if is_local_name(host) or host in {each.lower() for each in named}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def at_loopback(url: str) -> tuple[str, str]:
    """Give the URL to connect to and the Host header to send: names of this machine are not asked of any resolver."""
    parts = urlsplit(url)
    if not is_local_name(parts.hostname or ""):
        return url, parts.netloc
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{LOOPBACK}{port}").geturl(), parts.netloc

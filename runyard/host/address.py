"""Address of a Docker engine: how its socket, its TCP port with or without TLS, or its SSH host is reached."""

from __future__ import annotations

import os
import socket
import ssl
from urllib.parse import unquote, urlsplit

from runyard.errors import UsageError
from runyard.host.connection import Connection, Way

USUAL = "unix:///var/run/docker.sock"
_PORT, _TLS_PORT = 2375, 2376
_SCHEMES = ("unix", "tcp", "http", "https", "ssh")
# A host that does not answer the first packet by then is gone or filtered.
_CONNECT_TIMEOUT_S = 10.0
# More requests than this at once only wait inside of the engine.
_AT_ONCE = 64


def parse_address(address: str) -> Way:
    """Parse what DOCKER_HOST may be; UsageError says what it cannot be, and what lacks for its TLS."""
    parts = urlsplit(address)
    if parts.scheme not in _SCHEMES:
        found = f"{parts.scheme}://" if "://" in address else "no such beginning"
        raise UsageError(f"DOCKER_HOST: must begin with unix://, tcp://, https:// or ssh://, got {found}")
    if parts.scheme == "unix":
        return _Unix(parts.netloc + parts.path)
    user, _, place = parts.netloc.rpartition("@")
    if ":" in user:
        raise UsageError("DOCKER_HOST: must have no password in it")
    try:
        port = parts.port
    except ValueError:
        raise UsageError(f"DOCKER_HOST: port must be from 0 to 65535, got {place}") from None
    # As it was written: names in ~/.ssh/config may have capitals.
    host = place.removesuffix(f":{port}").strip("[]")
    if not host:
        raise UsageError(f"DOCKER_HOST: must name a host, got {address}")
    if parts.scheme == "ssh":
        # Only who uses SSH waits for its imports.
        from runyard.host.ssh import Ssh

        return Ssh(host, port, unquote(user), parts.path)
    tls = _tls(parts.scheme)
    return _Tcp(host, port or (_TLS_PORT if tls else _PORT), tls)


class _Unix:
    at_once = _AT_ONCE

    def __init__(self, path: str) -> None:
        self._path = path

    def dial(self) -> Connection:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(_CONNECT_TIMEOUT_S)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        return Connection(sock)

    def close(self) -> None:
        """Nothing runs for it."""


class _Tcp:
    at_once = _AT_ONCE

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._tls = host, port, tls

    def dial(self) -> Connection:
        sock = socket.create_connection((self._host, self._port), _CONNECT_TIMEOUT_S)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A host that was switched off while somebody waits for it is noticed.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self._host)
        except BaseException:
            sock.close()
            raise
        return Connection(sock, self._host, self._port)

    def close(self) -> None:
        """Nothing runs for it."""


def _tls(scheme: str) -> ssl.SSLContext | None:
    """Make what TLS needs; None for plain TCP. The engine's certificate is verified whenever there is TLS."""
    directory = os.environ.get("DOCKER_CERT_PATH")
    if scheme == "http":
        return None
    if not directory and not os.environ.get("DOCKER_TLS_VERIFY"):
        return ssl.create_default_context() if scheme == "https" else None
    directory = directory or os.path.expanduser("~/.docker")
    authority, certificate, key = (os.path.join(directory, f"{name}.pem") for name in ("ca", "cert", "key"))
    try:
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
    except OSError as error:
        needed = "ca.pem, cert.pem and key.pem"
        raise UsageError(f"DOCKER_CERT_PATH: {directory} must have {needed}: {error.strerror or error}") from None
    return context

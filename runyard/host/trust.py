"""Trust: the system's store of certificate authorities, in which a stack's local CA is installed and removed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runyard import files
from runyard.errors import HostError, UsageError
from runyard.names import DNS_LABEL

# It reads some hundred files and writes one.
_UPDATE_TIMEOUT_S = 120


@dataclass(frozen=True)
class TrustStore:
    """A system's store of trusted CAs: a directory, and the command that makes one bundle of what is in it."""

    directory: Path
    command: tuple[str, ...]


# Debian and Ubuntu (ca-certificates), Fedora and its kin (ca-certificates of p11-kit).
STORES = (
    TrustStore(Path("/usr/local/share/ca-certificates"), ("update-ca-certificates",)),
    TrustStore(Path("/etc/pki/ca-trust/source/anchors"), ("update-ca-trust",)),
)
OTHERS = """\
Firefox, and Chrome on Linux, have stores of their own: save `runyard trust --print` as a file and import it under
  Settings > Privacy and Security > Certificates > Authorities. For all programs that use NSS:
    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n runyard -i FILE
macOS:    sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain FILE
Windows:  certutil -addstore Root FILE
Python, Node:  SSL_CERT_FILE=FILE, NODE_EXTRA_CA_CERTS=FILE"""


def find_store(stores: tuple[TrustStore, ...] = STORES) -> TrustStore:
    """Find this system's trust store; UsageError tells what to do where none is known."""
    for store in stores:
        if store.directory.is_dir():
            return store
    looked = ", ".join(str(store.directory) for store in stores)
    raise UsageError(f"trust: no trust store of this system is known (looked for {looked})\n{OTHERS}")


def install_authority(store: TrustStore, stack: str, authority: str) -> Path:
    """Install a CA under the stack's name, over the one before; UsageError when that is not allowed."""
    path = _path(store, stack)
    try:
        files.write(path, authority, mode=0o644)
    except OSError as error:
        raise _refused(path, error) from error
    _update(store)
    return path


def remove_authority(store: TrustStore, stack: str) -> Path | None:
    """Remove the CA of a stack; None when it is not there."""
    path = _path(store, stack)
    if not path.exists():
        return None
    try:
        path.unlink()
    except OSError as error:
        raise _refused(path, error) from error
    _update(store)
    return path


def _path(store: TrustStore, stack: str) -> Path:
    if not DNS_LABEL.fullmatch(stack):
        raise UsageError(f"trust: stack must be a DNS label, got {stack!r}")
    # update-ca-certificates takes files that end in .crt only.
    return store.directory / f"runyard-{stack}.crt"


def _refused(path: Path, error: OSError) -> UsageError:
    hint = "; run it with sudo" if isinstance(error, PermissionError) or os.geteuid() != 0 else ""
    return UsageError(f"trust: change {path}: {error.strerror}{hint}")


def _update(store: TrustStore) -> None:
    doing = f"trust: run {' '.join(store.command)}"
    try:
        done = subprocess.run(  # noqa: S603 - a fixed argument list
            store.command, capture_output=True, text=True, timeout=_UPDATE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{doing}: {error}") from error
    if done.returncode:
        raise HostError(f"{doing}: {done.stderr.strip() or done.stdout.strip()}")

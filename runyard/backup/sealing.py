"""Sealing: a backup encrypted to whoever may restore it, in age's format (age-encryption.org/v1)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from runyard.errors import UsageError

_MAGIC = b"age-encryption.org/v1\n"


def parse_recipients(given: Sequence[str]) -> list[Any]:
    """Read public keys, age's (`age1…`) or SSH's (`ssh-ed25519 …`, `ssh-rsa …`); UsageError for what is neither."""
    # Here, as what is not encrypted has no use for it.
    from pyrage import RecipientError, ssh, x25519

    found = []
    for each in given:
        kind = ssh.Recipient if each.startswith("ssh-") else x25519.Recipient
        try:
            found.append(kind.from_str(each.strip()))
        except RecipientError as error:
            raise UsageError(f"--recipient: must be age's or SSH's public key, got {each!r}: {error}") from None
    return found


def seal(plain: IO[bytes], into: IO[bytes], recipients: Sequence[Any]) -> None:
    """Encrypt to the recipients that `parse_recipients` gives."""
    from pyrage import encrypt_io

    encrypt_io(plain, into, recipients)


def is_sealed(archive: IO[bytes]) -> bool:
    """Tell whether what is read from its beginning on is encrypted; it stands there again afterwards."""
    archive.seek(0)
    found = archive.read(len(_MAGIC)) == _MAGIC
    archive.seek(0)
    return found


def unseal(archive: IO[bytes], into: IO[bytes], identity: Path, shown: str) -> None:
    """Decrypt with the private keys of a file; UsageError where none of them fits, or what was encrypted is damaged."""
    from pyrage import DecryptError, decrypt_io

    try:
        decrypt_io(archive, into, _identities(identity))
    except (DecryptError, OSError) as error:
        raise UsageError(f"restore {shown}: decrypt with {identity}: {error}") from None


def _identities(file: Path) -> list[Any]:
    from pyrage import IdentityError, ssh, x25519

    try:
        text = file.read_text(encoding="utf-8")
        if "OPENSSH PRIVATE KEY" in text or "RSA PRIVATE KEY" in text:
            return [ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines()]
        return [x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (OSError, UnicodeDecodeError, IdentityError) as error:
        # Never with the text: it may be a private key in another form.
        raise UsageError(f"--identity: must be a file of age's or SSH's private keys: {file}: {error}") from None

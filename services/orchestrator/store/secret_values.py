"""Secret values: what documents only name by a digest, encrypted in one file of the orchestrator's user alone.

The key lies beside it, in a file of its own: a copy of either tells nothing, and Pulumi has no part in a start.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runyard import files
from runyard.journal import Journal

# AES-256 in GCM, with the nonce of 96 bits that NIST SP 800-38D has for it; random ones last for 2**32 values.
KEY_BITS = 256
NONCE_BYTES = 12
_PRIVATE = 0o600


class SecretValues:
    """Values by the digest that documents carry."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory / "secrets"
        self._file = self._directory / "values.json"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        files.clear(self._directory)
        self._cipher = AESGCM(self._load_key())
        self._sealed = self._load(journal)

    def __contains__(self, digest: str) -> bool:
        return digest in self._sealed

    def get(self, digest: str) -> str | None:
        """Give a value; None if it is not here."""
        sealed = self._sealed.get(digest)
        return None if sealed is None else self._open(digest, sealed)

    def put(self, values: Mapping[str, str]) -> None:
        """Keep values; those that are here already are left as they are."""
        new = {digest: self._seal(digest, value) for digest, value in values.items() if digest not in self._sealed}
        if new:
            self._save({**self._sealed, **new})

    def keep(self, digests: Collection[str]) -> None:
        """Forget every value but these."""
        kept = {digest: sealed for digest, sealed in self._sealed.items() if digest in digests}
        if kept != self._sealed:
            self._save(kept)

    def _seal(self, digest: str, value: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        # The digest is bound to it, so that no value can be put in another's place.
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, value.encode(), digest.encode())).decode()

    def _open(self, digest: str, sealed: str) -> str:
        raw = base64.b64decode(sealed, validate=True)
        return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], digest.encode()).decode()

    def _save(self, sealed: dict[str, str]) -> None:
        files.write(self._file, json.dumps(sealed, sort_keys=True), mode=_PRIVATE)
        self._sealed = sealed

    def _load_key(self) -> bytes:
        path = self._directory / "key"
        key = path.read_bytes() if path.exists() else b""
        if len(key) * 8 != KEY_BITS:
            # Values under a key that is lost are lost too; the next update brings them again.
            key = AESGCM.generate_key(KEY_BITS)
            files.write(path, key, mode=_PRIVATE)
        return key

    def _load(self, journal: Journal) -> dict[str, str]:
        try:
            found = {str(digest): str(sealed) for digest, sealed in json.loads(self._file.read_text()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError):
            journal.write("secret values corrupt", level="error", file=self._file.name)
            return {}
        usable = {}
        for digest, sealed in found.items():
            try:
                self._open(digest, sealed)
                usable[digest] = sealed
            except (InvalidTag, ValueError, binascii.Error):
                journal.write("secret value unusable", level="error", digest=digest)
        return usable

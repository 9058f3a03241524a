"""Passphrase: whether one is that with which a stack's secrets are encrypted, told without asking Pulumi."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runyard.errors import ContractError, UsageError
from runyard.pulumi.backend import passphrase_file

# As Pulumi derives its key (sdk/go/common/resource/config, NewSymmetricCrypterFromPassphrase).
_ROUNDS, _KEY_BYTES = 1_000_000, 32
# What it encrypts beside the salt, to know a wrong passphrase by.
_KNOWN = b"pulumi"


def read_passphrase(environment: Mapping[str, str]) -> str | None:
    """Read the passphrase in force as Pulumi does; None where there is none, UsageError for a file not to be read."""
    own = environment.get("PULUMI_CONFIG_PASSPHRASE")
    if own is not None:
        return own
    file = passphrase_file(environment)
    if not os.path.exists(file):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"read the passphrase in {file}: {error}") from None


def salt_of_state(text: str | bytes) -> str:
    """Find the salt in a checkpoint; "" where its secrets are no passphrase's, ContractError where it is none."""
    try:
        latest = json.loads(text)["checkpoint"].get("latest") or {}
        provider: Mapping[str, Any] = latest.get("secrets_providers") or {}
        return str(provider["state"]["salt"]) if provider.get("type") == "passphrase" else ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"read the stack's state: {error!r}") from None


def salt_of_settings(text: str | bytes) -> str:
    """Find the salt in a stack's settings; "" where they have none, ContractError where they are none."""
    try:
        read = yaml.safe_load(text)
        return str((read or {}).get("encryptionsalt", ""))
    except (yaml.YAMLError, AttributeError, UnicodeDecodeError) as error:
        raise ContractError(f"read the stack's settings: {error}") from None


def opens(passphrase: str, salt: str) -> bool:
    """Tell whether a passphrase is the one of a salt, in some tenths of a second; "" is everybody's."""
    if not salt:
        return True
    # Here, as its library takes longer to import than most commands need.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        version, encoded, inner, nonce, cipher = salt.split(":")
        if (version, inner) != ("v1", "v1"):
            raise ValueError(f"version {version}, {inner}")
        key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), base64.b64decode(encoded), _ROUNDS, _KEY_BYTES)
        return AESGCM(key).decrypt(base64.b64decode(nonce), base64.b64decode(cipher), None) == _KNOWN
    except InvalidTag:
        return False
    except ValueError as error:
        raise ContractError(f"read the salt of the stack's secrets: {error}") from None

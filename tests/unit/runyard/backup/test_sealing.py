"""Sealing with real keys: whoever has one of the recipients' reads, and nobody else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pyrage import x25519

from runyard.backup.sealing import is_sealed, parse_recipients, seal, unseal
from runyard.errors import UsageError

PLAIN = b"plain" * 50_000


@pytest.fixture
def key() -> x25519.Identity:
    return x25519.Identity.generate()


def sealed(*recipients: str) -> io.BytesIO:
    into = io.BytesIO()
    seal(io.BytesIO(PLAIN), into, parse_recipients(recipients))
    into.seek(0)
    return into


def test_what_is_sealed_is_read_with_the_key_of_one_recipient(key: x25519.Identity, tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(f"# created: today\n\n{key}\n")
    ssh = Ed25519PrivateKey.generate()
    (tmp_path / "id").write_bytes(ssh.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = ssh.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    archive = sealed(str(key.to_public()), public)
    assert is_sealed(archive)
    for identity in (file, tmp_path / "id"):
        into = io.BytesIO()
        archive.seek(0)
        unseal(archive, into, identity, "b")
        assert into.getvalue() == PLAIN
    assert PLAIN[:100] not in archive.getvalue()


def test_plain_archive_is_told_apart_and_stands_at_its_beginning() -> None:
    archive = io.BytesIO(b"\x1f\x8b...")
    assert not is_sealed(archive)
    assert archive.tell() == 0


def test_another_key_and_a_damaged_archive_are_refused(key: x25519.Identity, tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(str(x25519.Identity.generate()))
    archive = sealed(str(key.to_public()))
    with pytest.raises(UsageError, match=r"^restore b: decrypt with .*key\.txt: No matching keys found$"):
        unseal(archive, io.BytesIO(), file, "b")
    file.write_text(str(key))
    for damaged in (archive.getvalue()[:-1], archive.getvalue()[:-9] + b"damaged.."):
        with pytest.raises(UsageError, match=r"^restore b: decrypt with .*: decryption error$"):
            unseal(io.BytesIO(damaged), io.BytesIO(), file, "b")


@pytest.mark.parametrize("given", ["age1nobody", "ssh-ed25519 nobody", "AGE-SECRET-KEY-1", ""])
def test_recipient_that_is_no_public_key_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match=r"^--recipient: must be age's or SSH's public key, got "):
        parse_recipients([given])


@pytest.mark.parametrize("text", ["AGE-SECRET-KEY-planted", "-----BEGIN OPENSSH PRIVATE KEY-----\nplanted"])
def test_identity_that_is_none_is_refused_without_its_text(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.txt"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"^--identity: must be a file of age's or SSH's private keys: ") as refused:
        unseal(sealed(str(x25519.Identity.generate().to_public())), io.BytesIO(), file, "b")
    assert "planted" not in str(refused.value)

"""Downloads of official releases, verified before they are unpacked."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path, PurePosixPath
from typing import cast

from runyard.errors import ToolchainError
from toolchain.pins import Release

# For connecting and for every single read: a site that cannot be reached must not hold the fall-back for long,
# and a slow line still delivers some bytes within it.
TIMEOUT_S = 10.0
CHUNK_BYTES = 1 << 20
# A checksums file is a few lines; more than this is some portal's page.
CHECKSUMS_LIMIT_BYTES = 1 << 20


class Unavailable(Exception):
    """The release cannot be had from its site: not reachable, not there, or cut off. There is another way."""


def fetch(release: Release, archive: Path, timeout_s: float = TIMEOUT_S) -> str:
    """Download a release to `archive` and say what it was verified against.

    Raises Unavailable when the site does not deliver, and ToolchainError when it delivers something else than was
    pinned: that is never a reason to go on by another way unseen.
    """
    if not release.url:
        raise Unavailable("no official release for this architecture is pinned")
    name = release.url.rsplit("/", 1)[-1]
    if release.sha256:
        expected, source = release.sha256.lower(), "toolchain/pins.toml"
    else:
        # First, because without it the archive would be fetched in vain.
        expected = _published_checksum(release.checksums, name, timeout_s)
        source = "the checksums file beside the release (pins.toml holds none)"
    actual = _save(release.url, archive, timeout_s)
    if actual != expected:
        archive.unlink()
        raise ToolchainError(
            f"download {release.url}: sha256: must be {expected} by {source}, got {actual}\n"
            "  do not use it; if the release was re-made on purpose, correct toolchain/pins.toml"
        )
    return source


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a verified tar archive of plain files and directories; anything else in it is refused.

    By hand, because Debian 12's Python has no extraction filters yet.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                _unpack_member(tar, member, directory)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ToolchainError(f"unpack {archive.name}: {error}") from None


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, directory: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name}: must be a file or directory inside the archive's own")
    target = directory / name
    content = tar.extractfile(member)
    if content is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _published_checksum(url: str, name: str, timeout_s: float) -> str:
    with _open(url, timeout_s) as response:
        try:
            text = response.read(CHECKSUMS_LIMIT_BYTES).decode("ascii", errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{url}: {_reason(error)}") from None
    for line in text.splitlines():
        words = line.split()
        # `<hash>  <name>`, with a star before the name where sha256sum read it as binary.
        if len(words) == 2 and words[1].lstrip("*") == name and len(words[0]) == 64:
            return words[0].lower()
    raise Unavailable(f"{url}: does not name {name}, so that cannot be verified")


def _save(url: str, path: Path, timeout_s: float) -> str:
    """Save what a URL answers and return its SHA-256; a transfer that ends early is Unavailable."""
    hasher = hashlib.sha256()
    received = 0
    with _open(url, timeout_s) as response, path.open("wb") as file:
        announced = response.headers.get("Content-Length")
        try:
            while chunk := response.read(CHUNK_BYTES):
                received += len(chunk)
                hasher.update(chunk)
                file.write(chunk)
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise Unavailable(f"{url}: cut off after {received} bytes: {_reason(error)}") from None
    if announced is not None and received != int(announced):
        raise Unavailable(f"{url}: cut off after {received} of {announced} bytes")
    return hasher.hexdigest()


def _open(url: str, timeout_s: float) -> http.client.HTTPResponse:
    try:
        return cast("http.client.HTTPResponse", urllib.request.urlopen(url, timeout=timeout_s))  # noqa: S310  pinned, in this repo
    except urllib.error.HTTPError as error:
        error.close()
        raise Unavailable(f"{url}: answered {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{url}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__).lower()

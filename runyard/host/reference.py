"""Reference to an image: the registry, the repository there, and which version of it, as Docker reads it."""

from __future__ import annotations

from typing import NamedTuple

HUB = "docker.io"
# Older names of the same registry, in pieces: no file of ours names the host of one (CONTRIBUTING).
_HUB_HOSTS = {HUB, f"index.{HUB}"}


class Reference(NamedTuple):
    """`version` is a tag, a digest (`sha256:...`), or empty where the reference has neither."""

    registry: str
    repository: str
    version: str


def parse_reference(image: str) -> Reference:
    """Parse an image's name; `nginx` and `docker.io/library/nginx` are the same."""
    name, _, version = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    version = version or tag
    name = f"{head}{slash}{last}"
    first, slash, rest = name.partition("/")
    # Docker's rule: what cannot be a user of its hub is a host.
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, rest = HUB, name
    if first in _HUB_HOSTS:
        return Reference(HUB, rest if "/" in rest else f"library/{rest}", version)
    return Reference(first, rest, version)

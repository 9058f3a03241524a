"""Reference to an image: the registry, the repository there, and which version of it, as Docker reads it."""

from __future__ import annotations

import re
from typing import NamedTuple

HUB = "docker.io"
# Older names of the same registry, in pieces: no file of ours names the host of one (CONTRIBUTING).
_HUB_HOSTS = {HUB, f"index.{HUB}"}


# As the engine gives them whole; it takes any beginning of one too, where no image has that for a name.
_ID = re.compile("sha256:[0-9a-f]{64}")
# As `docker images` and `docker inspect` print them, of at least twelve digits.
_PRINTED_ID = re.compile("(?:sha256:)?[0-9a-f]{12,64}")


class Reference(NamedTuple):
    """`version` is a tag, a digest (`sha256:...`), or empty where the reference has neither."""

    registry: str
    repository: str
    version: str

    @property
    def text(self) -> str:
        """The reference written out in full: no engine takes it for an id."""
        separator = "" if not self.version else "@" if ":" in self.version else ":"
        return f"{self.registry}/{self.repository}{separator}{self.version}"


def is_id(text: str) -> bool:
    """Tell whether this is an engine's whole id of an image, which names no registry and no version."""
    return _ID.fullmatch(text) is not None


def is_printed_id(text: str) -> bool:
    """Tell whether this is what a user would copy as an image's id, whole or short."""
    return _PRINTED_ID.fullmatch(text) is not None


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

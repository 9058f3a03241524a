"""Images by their references: which version, and from where."""

from __future__ import annotations

from runyard.reference import parse_reference


def full_name(image: str) -> str:
    """Spell an image out as Docker understands it: `nginx:1` is `docker.io/library/nginx:1`."""
    return parse_reference(image).text


def names_version(image: str) -> bool:
    """Tell whether it has a tag or a digest."""
    return "@" in image or bool(_tag_of(image))


def is_latest(image: str) -> bool:
    """Tell whether it may change without a word."""
    return "@" not in image and _tag_of(image) in ("", "latest")


def is_pinned(image: str) -> bool:
    """Tell whether it can never change."""
    return "@sha256:" in image


def _tag_of(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]

"""References to images, as Docker reads them."""

from __future__ import annotations

import pytest

from runyard.reference import Reference, is_id, is_printed_id, parse_reference


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("nginx", ("docker.io", "library/nginx", "")),
        ("nginx:1.27", ("docker.io", "library/nginx", "1.27")),
        ("acme/shop:2", ("docker.io", "acme/shop", "2")),
        ("docker.io/nginx", ("docker.io", "library/nginx", "")),
        ("index.docker" + ".io/acme/shop", ("docker.io", "acme/shop", "")),
        ("localhost/a:1", ("localhost", "a", "1")),
        ("here:5000/a/b", ("here:5000", "a/b", "")),
        ("ghcr.example/a/b:1@sha256:12", ("ghcr.example", "a/b", "sha256:12")),
        ("Here/a", ("Here", "a", "")),
    ],
)
def test_reference_is_registry_repository_and_version(image: str, reference: tuple[str, str, str]) -> None:
    assert parse_reference(image) == Reference(*reference)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("here:5000/a/b:1@sha256:12", "here:5000/a/b@sha256:12"),
        ("0123456789ab", "docker.io/library/0123456789ab"),
        ("sha256:0123456789ab", "docker.io/library/sha256:0123456789ab"),
    ],
)
def test_reference_in_full_is_never_an_id(image: str, text: str) -> None:
    assert parse_reference(image).text == text
    assert not is_id(text)
    assert not is_printed_id(text)


@pytest.mark.parametrize(
    ("image", "whole", "printed"),
    [
        ("sha256:" + "a" * 64, True, True),
        ("a" * 64, False, True),
        ("0123456789ab", False, True),
        ("sha256:0123456789ab", False, True),
        ("cafe", False, False),
        ("0123456789ab:1", False, False),
        ("shop/0123456789ab", False, False),
    ],
)
def test_id_is_told_from_a_name(image: str, whole: bool, printed: bool) -> None:
    assert (is_id(image), is_printed_id(image)) == (whole, printed)

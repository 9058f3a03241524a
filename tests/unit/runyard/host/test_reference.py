"""References to images, as Docker reads them."""

from __future__ import annotations

import pytest

from runyard.host.reference import Reference, parse_reference


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

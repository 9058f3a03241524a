"""TLS of the Platform: what is refused, and what is filled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.model import Gateway
from runyard.manifest.tls import Acme, Tls

DIRECTORY = "directory: https://acme.example/directory"


def gateway(directory: Path, text: str) -> Gateway:
    file = directory / "platform.yaml"
    file.write_text(f"apiVersion: runyard.dev/v1\nkind: Platform\nspec:\n  gateway: {text}\n")
    return load([file]).manifests.platform.gateway


def test_tls_takes_everything_over(tmp_path: Path) -> None:
    text = f"{{tls: {{mode: acme, port: 443, redirect: false, hstsMaxAgeSeconds: 5, acme: {{{DIRECTORY}, "
    text += 'contacts: [a@b.c], caBundle: "-----BEGIN CERTIFICATE-----"}}}'
    acme = Acme("https://acme.example/directory", ("a@b.c",), "-----BEGIN CERTIFICATE-----")
    assert gateway(tmp_path, text).tls == Tls("acme", 443, False, 5, acme)


@pytest.mark.parametrize(
    ("text", "tls"),
    [
        ("{}", Tls()),
        ("{tls: {}}", Tls()),
        ("{tls: {mode: local}}", Tls("local")),
        # Real domains are told to browsers for two years, localhost is not.
        ("{tls: {mode: files}}", Tls("files", hsts_s=63_072_000)),
        ("{tls: {mode: local, hstsMaxAgeSeconds: 60}}", Tls("local", hsts_s=60)),
    ],
)
def test_what_is_left_out_has_its_default(tmp_path: Path, text: str, tls: Tls) -> None:
    assert gateway(tmp_path, text).tls == tls


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "{port: 3443, tls: {mode: local}}",
            "tls.mode: must differ from the other ports of the platform, got 3443 for two of them",
        ),
        (
            "{h2cPort: 4000, tls: {mode: local, port: 4000}}",
            "tls.port: must differ from the other ports of the platform, got 4000 for two of them",
        ),
        ("{tls: {mode: acme}}", "tls.mode: acme must be there when mode is acme, got mode acme"),
        (
            f"{{tls: {{mode: local, acme: {{{DIRECTORY}}}}}}}",
            "tls.acme: acme must be left out unless mode is acme, got mode local",
        ),
        (
            "{tls: {mode: acme, acme: {directory: 'http://acme.example'}}}",
            'tls.acme.directory: must be an https:// URL without a user, got "http://acme.example"',
        ),
        (
            "{tls: {mode: acme, acme: {directory: 'https://[x'}}}",
            'tls.acme.directory: must be an https:// URL without a user, got "https://[x"',
        ),
        (
            f"{{tls: {{mode: acme, acme: {{{DIRECTORY}, contacts: [nobody]}}}}}}",
            'tls.acme.contacts[0]: must be a mail address, got "nobody"',
        ),
        (
            f"{{tls: {{mode: acme, acme: {{{DIRECTORY}, caBundle: x}}}}}}",
            "tls.acme.caBundle: must be certificates in PEM, got none",
        ),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ManifestError) as caught:
        gateway(tmp_path, text)
    assert str(caught.value).endswith(told)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Gateway(), "http://hello.localhost:3000/"),
        (Gateway(port=80), "http://hello.localhost/"),
        (Gateway(tls=Tls("local")), "https://hello.localhost:3443/"),
        (Gateway(port=443, tls=Tls("files", 443)), "https://hello.localhost/"),
    ],
)
def test_url_is_over_tls_where_there_is_tls(settings: Gateway, url: str) -> None:
    assert settings.url("hello.localhost") == url

"""Receivers as manifests say them: what is read, and what is refused with its place and rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.model import Receiver
from runyard.manifest.observability import SecretKey
from runyard.manifest.receivers import is_url

PLATFORM = "apiVersion: runyard.dev/v1\nkind: Platform\nspec:\n  observability: {level: basic, receivers: [%s]}\n"
TENANT = "apiVersion: runyard.dev/v1\nkind: Tenant\nmetadata: {name: shop}\nspec: {receivers: [%s]}\n"
MAIL = "to: [a@b.example], from: r@b.example, server: 'mail.example:587'"


def read(tmp_path: Path, text: str) -> tuple[Receiver, ...]:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    found = load([file]).manifests
    tenants = [each.receivers for each in found.tenants if each.receivers]
    return tenants[0] if tenants else found.platform.observability.receivers


@pytest.mark.parametrize("form", [PLATFORM, TENANT])
@pytest.mark.parametrize(
    ("said", "receiver"),
    [
        ("{name: a, webhook: {url: 'https://a.example/x'}}", Receiver("a", "webhook", url="https://a.example/x")),
        (
            "{name: a, webhook: {urlFrom: {secretKeyRef: {name: s}}}}",
            Receiver("a", "webhook", url_from=SecretKey("s", "latest")),
        ),
        (
            "{name: a, slack: {urlFrom: {secretKeyRef: {name: s, key: k}}, channel: '#x'}}",
            Receiver("a", "slack", url_from=SecretKey("s", "k"), channel="#x"),
        ),
        (
            "{name: a, email: {" + MAIL + "}}",
            Receiver("a", "email", to=("a@b.example",), sender="r@b.example", server="mail.example:587"),
        ),
        (
            "{name: a, email: {" + MAIL + ", username: u, passwordFrom: {secretKeyRef: {name: s}}}}",
            Receiver(
                "a", "email", to=("a@b.example",), sender="r@b.example", server="mail.example:587", username="u",
                password_from=SecretKey("s"),
            ),
        ),
    ],
)  # fmt: skip
def test_receiver_is_read_as_it_is_said(tmp_path: Path, form: str, said: str, receiver: Receiver) -> None:
    assert read(tmp_path, form % said) == (receiver,)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{name: a}", "receivers[0]: must have one of webhook, slack, email, got none"),
        (
            "{name: a, webhook: {url: 'http://a/'}, slack: {url: 'http://a/'}}",
            "receivers[0]: must have one of webhook, slack, email, got webhook and slack",
        ),
        ("{name: a, webhook: {}}", "receivers[0].webhook: must have one of url and urlFrom, got neither"),
        (
            "{name: a, slack: {url: 'http://a/', urlFrom: {secretKeyRef: {name: s}}}}",
            "receivers[0].slack: must have one of url and urlFrom, got both",
        ),
        (
            "{name: a, webhook: {url: 'ftp://user:secret@a/'}}",
            "receivers[0].webhook.url: must be an http or https URL with a host, got another text",
        ),
        (
            "{name: a, email: {to: [a@b.example], from: r@b.example, server: mail.example}}",
            'receivers[0].email.server: must be HOST:PORT, got "mail.example"',
        ),
        (
            "{name: a, email: {to: [a@b.example], from: r@b.example, server: 'mail.example:70000'}}",
            'receivers[0].email.server: must be HOST:PORT, got "mail.example:70000"',
        ),
        (
            "{name: a, email: {to: [a@b.example], from: r@b.example, server: 'mail.example:465'}}",
            "receivers[0].email.server: must be a server that speaks STARTTLS, such as at port 587, "
            'got "mail.example:465"',
        ),
        (
            "{name: a, email: {" + MAIL + ", username: u}}",
            "receivers[0].email: must have username and passwordFrom together, got username alone",
        ),
        (
            "{name: a, webhook: {url: 'http://a/'}}, {name: a, webhook: {url: 'http://b/'}}",
            'receivers[1].name: must be unique, got "a" twice',
        ),
    ],
)
@pytest.mark.parametrize(("form", "path"), [(PLATFORM, "spec.observability."), (TENANT, "spec.")])
def test_receiver_that_is_none_says_where_and_why(
    tmp_path: Path, form: str, path: str, said: str, message: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, form % said)
    (problem,) = caught.value.problems
    assert f"{problem.path}: {problem.message}" == path + message


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://a.example/x?y=z", True),
        ("http://[2001:db8::1]:8080/", True),
        ("http://a:99999/", False),
        ("http://a:0/", False),
        ("http:///x", False),
        ("//a/x", False),
        ("http://a/ b", False),
        ("http://a/\n", False),
        ("http://[::1/", False),
    ],
)
def test_url_is_one_that_can_be_asked(text: str, good: bool) -> None:
    assert is_url(text) is good


@pytest.mark.parametrize(
    ("text", "path", "column"),
    [
        (PLATFORM.replace("level: basic, ", ""), "spec.observability.receivers", 19),
        (TENANT, "spec.receivers", 8),
    ],
)
def test_receivers_that_are_told_nothing_are_warned_of(tmp_path: Path, text: str, path: str, column: int) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text % "{name: a, webhook: {url: 'https://a.example/x'}}")
    (warning,) = load([file]).warnings
    assert (warning.path, warning.location.line, warning.location.column) == (path, 4, column)
    assert warning.message == "are told nothing while the Platform's observability.level is none"


def test_receivers_of_a_platform_that_keeps_metrics_are_no_warning(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    hook = "{name: a, webhook: {url: 'https://a.example/x'}}"
    file.write_text(f"{PLATFORM % hook}---\n{TENANT % hook}")
    assert load([file]).warnings == ()

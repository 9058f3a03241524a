"""Rules of secrets: none in plain environment, arguments, probes or URLs; messages never show the value."""

from __future__ import annotations

from collections.abc import Iterator

from policies.rule import Context, Rule, Violation, of_service
from policies.secret import SECRET, called_in, forms_in, has_url_password, holds_secret, is_random, is_telling
from runyard.manifest.model import Container, Service


def check_forms(context: Context) -> Iterator[Violation]:
    """Find environment variables whose value has the form of an issued key."""
    for service, container, name, value in _plain(context):
        for what in forms_in(value):
            yield of_service(service, f"container {container.name}: env {name} must not hold {what}, got {SECRET}")


def check_names(context: Context) -> Iterator[Violation]:
    """Find environment variables whose name, or a name in whose value, says that they are secret."""
    for service, container, name, value in _plain(context):
        if value and is_telling(name):
            yield of_service(
                service, f"container {container.name}: env {name} must be a secretKeyRef, got a plain value"
            )
            continue
        for called in sorted(set(called_in(value))):
            message = f"container {container.name}: env {name} must hold nothing called {called}, got {SECRET}"
            yield of_service(service, message)


def check_entropy(context: Context) -> Iterator[Violation]:
    """Find values that look as random as a key."""
    for service, container, name, value in _plain(context):
        if is_random(value):
            yield of_service(service, f"container {container.name}: env {name} must not look like a key, got {SECRET}")


def check_urls(context: Context) -> Iterator[Violation]:
    """Find passwords in URLs."""
    for service, container, name, value in _plain(context):
        if has_url_password(value):
            message = f"container {container.name}: env {name} must hold no password in a URL, got {SECRET}"
            yield of_service(service, message)


def check_arguments(context: Context) -> Iterator[Violation]:
    """Find secrets in commands, which every user of the host can list."""
    for service in context.manifests.services:
        for container in service.template.all_containers:
            if holds_secret(" ".join((*container.command, *container.args))):
                yield of_service(service, f"container {container.name}: command must hold no secret, got {SECRET}")


def check_probes(context: Context) -> Iterator[Violation]:
    """Find secrets in what probes send or run."""
    for service in context.manifests.services:
        for container in service.template.all_containers:
            for probe in (container.startup_probe, container.liveness_probe, container.readiness_probe):
                sent = (*(f"{name}: {value}" for name, value in probe.headers), probe.path) if probe else ()
                if probe and any(holds_secret(each) for each in (*sent, " ".join(probe.command))):
                    yield of_service(service, f"container {container.name}: probe must hold no secret, got {SECRET}")


def _plain(context: Context) -> Iterator[tuple[Service, Container, str, str]]:
    for service in context.manifests.services:
        for container in service.template.all_containers:
            for variable in container.env:
                if variable.reference is None:
                    yield service, container, variable.name, variable.value


_FIX = "put it into the stack's secrets and name it with valueFrom.secretKeyRef"
_PROBE_FIX = "have the probe ask a path that needs no secret"
RULES = (
    Rule("secret-known-form", "No issued key is in plain environment.", "mandatory", _FIX, check_forms),
    Rule("secret-by-name", "What is called a secret is kept as one.", "mandatory", _FIX, check_names),
    Rule("secret-by-entropy", "No value of the environment looks like a key.", "advisory", _FIX, check_entropy),
    Rule("secret-in-url", "No URL of the environment holds a password.", "mandatory", _FIX, check_urls),
    Rule("secret-in-command", "No command or argument holds a secret.", "mandatory", _FIX, check_arguments),
    Rule("secret-in-probe", "No probe sends or runs a secret.", "mandatory", _PROBE_FIX, check_probes),
)

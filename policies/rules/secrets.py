"""Rules of secrets: none in plain environment, arguments or URLs; messages never show the value."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from policies.rule import Context, Rule, Violation, of_service
from runyard.manifest.model import Container, Service

# The forms that well-known issuers give their keys.
_PATTERNS = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a Stripe key": re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    "a Google API key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_TELLING_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIALS)$", re.I
)
_RANDOM_LOOKING = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
# Bits a character. English words have under 3.5, hexadecimal keys 3.7 to 4, base64 over 4.
_ENTROPY_LIMIT = 3.7


def is_secret(name: str, value: str) -> bool:
    """Tell whether a plain value must not be shown: by its name, its form, or a password in a URL."""
    return bool(value) and bool(
        _TELLING_NAME.search(name)
        or _CREDENTIALS_IN_URL.search(value)
        or any(pattern.search(value) for pattern in _PATTERNS.values())
        or _is_random(value)
    )


def check_patterns(context: Context) -> Iterator[Violation]:
    """Find environment variables whose value has the form of an issued key."""
    for service, container, name, value in _plain(context):
        for what, pattern in _PATTERNS.items():
            if pattern.search(value):
                yield of_service(service, f"container {container.name}: env {name} must not hold {what}, got [secret]")


def check_names(context: Context) -> Iterator[Violation]:
    """Find environment variables whose name says that they are secret."""
    for service, container, name, value in _plain(context):
        if value and _TELLING_NAME.search(name):
            yield of_service(
                service, f"container {container.name}: env {name} must be a secretKeyRef, got a plain value"
            )


def check_entropy(context: Context) -> Iterator[Violation]:
    """Find values that look as random as a key."""
    for service, container, name, value in _plain(context):
        if _is_random(value):
            yield of_service(service, f"container {container.name}: env {name} must not look like a key, got [secret]")


def check_urls(context: Context) -> Iterator[Violation]:
    """Find passwords in URLs."""
    for service, container, name, value in _plain(context):
        if _CREDENTIALS_IN_URL.search(value):
            message = f"container {container.name}: env {name} must hold no password in a URL, got [secret]"
            yield of_service(service, message)


def check_arguments(context: Context) -> Iterator[Violation]:
    """Find issued keys and passwords in commands, which every user of the host can list."""
    for service in context.manifests.services:
        for container in service.template.containers:
            text = " ".join((*container.command, *container.args))
            if _CREDENTIALS_IN_URL.search(text) or any(pattern.search(text) for pattern in _PATTERNS.values()):
                yield of_service(service, f"container {container.name}: command must hold no secret, got [secret]")


def _plain(context: Context) -> Iterator[tuple[Service, Container, str, str]]:
    for service in context.manifests.services:
        for container in service.template.containers:
            for variable in container.env:
                if variable.reference is None:
                    yield service, container, variable.name, variable.value


def _is_random(value: str) -> bool:
    looks = _RANDOM_LOOKING.fullmatch(value) and re.search(r"[0-9]", value)
    return bool(looks) and _entropy(value) > _ENTROPY_LIMIT


def _entropy(text: str) -> float:
    """Give Shannon's entropy in bits a character."""
    shares = (count / len(text) for count in Counter(text).values())
    return -sum(share * math.log2(share) for share in shares)


_FIX = "put it into the stack's secrets and name it with valueFrom.secretKeyRef"
RULES = (
    Rule("secret-known-form", "No issued key is in plain environment.", "mandatory", _FIX, check_patterns),
    Rule("secret-by-name", "What is called a secret is kept as one.", "mandatory", _FIX, check_names),
    Rule("secret-by-entropy", "No value of the environment looks like a key.", "advisory", _FIX, check_entropy),
    Rule("secret-in-url", "No URL of the environment holds a password.", "mandatory", _FIX, check_urls),
    Rule("secret-in-command", "No command or argument holds a secret.", "mandatory", _FIX, check_arguments),
)

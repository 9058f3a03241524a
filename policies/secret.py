"""Secrets in plain text: what tells one from another value, for rules and for whoever shows values."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

SECRET = "[secret]"  # noqa: S105 - what is shown instead of one
# The forms that well-known issuers give their keys.
_FORMS = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a Stripe key": re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    "a Google API key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}
# A reference to a variable is no password.
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^/\s:@]*:(?!\$[{(])[^/\s@]+@", re.IGNORECASE)
_TELLING_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|TOKEN|(?:API|PRIVATE|SECRET|SECRET_ACCESS)_?KEY|CREDENTIALS)$"
    r"|_PWD$|^(?:(?:PROXY_)?AUTHORIZATION|COOKIE|PGPASSWORD|REQUIREPASS)$",
    re.IGNORECASE,
)
# `name=value`, `"name": value` and `--name value`. It begins where no name goes on and takes the value by looking
# ahead, no further than names a file, so that a long text is read once and a value can itself be such a pair.
_PAIR = re.compile(
    r"(?<![\w.-])(?:--?(?P<flag>[A-Za-z][\w.-]*)\s+|-{0,2}(?P<name>[A-Za-z_][\w.-]*)[\"']?\s*[:=]\s*)"
    r"(?=[\"']?(?:(?:Bearer|Basic)\s+)?(?P<value>[^\s\"'&;,|)}\]]{1,200}))",
    re.IGNORECASE,
)
# References to variables, templates, files and other options, what is blacked out, and what says yes or no.
_NO_SECRET = re.compile(
    r"[$<{-].*|%\w+%|\*+|\.{0,2}(?:/[\w.-]+){2,}|true|false|yes|no|on|off|none|null", re.IGNORECASE | re.DOTALL
)
_RANDOM_LOOKING = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
# Bits a character. English words have under 3.5, hexadecimal keys 3.7 to 4, base64 over 4.
_ENTROPY_LIMIT = 3.7


def is_telling(name: str) -> bool:
    """Tell whether what has this name is a secret: `DB_PASSWORD`, `--api-key`, `dbPassword`, `Authorization`."""
    return _TELLING_NAME.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-.]", "_", name)) is not None


def is_random(value: str) -> bool:
    """Tell whether a value looks as random as a key."""
    looks = _RANDOM_LOOKING.fullmatch(value) and re.search(r"[0-9]", value)
    return bool(looks) and _entropy(value) > _ENTROPY_LIMIT


def has_url_password(text: str) -> bool:
    """Tell whether a URL in a text holds a password."""
    return _CREDENTIALS_IN_URL.search(text) is not None


def forms_in(text: str) -> Iterator[str]:
    """Say of which forms a text holds an issued key."""
    return (what for what, form in _FORMS.items() if form.search(text))


def called_in(text: str) -> Iterator[str]:
    """Name the secrets that a text holds by name: `--token abc`, `password=abc`, `"apiKey": "abc"`."""
    for match in _PAIR.finditer(text):
        name = match["flag"] or match["name"]
        if is_telling(name) and not _NO_SECRET.fullmatch(match["value"]):
            yield name


def holds_secret(text: str) -> bool:
    """Tell whether a text holds a secret by its form, in a URL, or by name."""
    return has_url_password(text) or any(forms_in(text)) or any(called_in(text))


def is_secret(name: str, value: str) -> bool:
    """Tell whether a plain value must not be shown: by its name, its form, or what it holds."""
    return bool(value) and (is_telling(name) or holds_secret(value) or is_random(value))


def render_words(words: Sequence[str]) -> list[str]:
    """Give the words of a command as they may be shown: `--token abc` is a secret in its second word."""
    flags = [word if word.startswith("-") and is_telling(word.lstrip("-")) else "" for word in ("", *words)]
    return [
        SECRET if is_secret("", word) or (flag and any(called_in(f"{flag} {word}"))) else word
        for flag, word in zip(flags, words, strict=False)
    ]


def _entropy(text: str) -> float:
    """Give Shannon's entropy in bits a character."""
    shares = (count / len(text) for count in Counter(text).values())
    return -sum(share * math.log2(share) for share in shares)

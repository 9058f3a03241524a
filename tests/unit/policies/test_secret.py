"""Secrets in plain text: what is taken for one, what is not, and how commands are shown."""

from __future__ import annotations

import time

import pytest

from policies.secret import SECRET, called_in, holds_secret, is_secret, is_telling, render_words


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "--api-key", "dbPassword", "Authorization", "X-Auth-Token", "sonar.jdbc.password", "DB_PWD"]
)
def test_name_tells_a_secret_in_every_spelling(name: str) -> None:
    assert is_telling(name.lstrip("-"))


@pytest.mark.parametrize("name", ["TOKENS_PER_MINUTE", "PWD", "PASSWORD_FILE", "compass", "AUTHOR", "KEY"])
def test_name_that_only_sounds_like_one_tells_nothing(name: str) -> None:
    assert not is_telling(name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("--token s3cr3t", ["token"]),
        ("--password=hunter2", ["password"]),
        ("Host=db;Password=hunter2;Database=x", ["Password"]),
        ('{"user": "a", "apiKey": "k3y"}', ["apiKey"]),
        ("Authorization: Bearer hunter2", ["Authorization"]),
        ("-Dspring.datasource.password=hunter2", ["Dspring.datasource.password"]),
        ("/health?token=s3cr3t", ["token"]),
        ("sh -c app --config password=hunter2", ["password"]),
    ],
)
def test_secret_is_found_by_its_name_in_a_text(text: str, names: list[str]) -> None:
    assert list(called_in(text)) == names
    assert is_secret("CFG", text)


@pytest.mark.parametrize(
    "text",
    [
        "--token $(TOKEN)",
        "--password=${DB_PASSWORD}",
        "Password=$DB_PASSWORD;Database=x",
        "--token /run/secrets/token",
        "--token --verbose",
        "allow-empty-password=yes",
        "Authorization: Bearer <token>",
        "redis://user:${PASSWORD}@db/0",
        "--token-file=/etc/token",
        "--default-authentication-plugin=mysql_native_password",
    ],
)
def test_reference_to_a_secret_is_none(text: str) -> None:
    assert not holds_secret(text)


def test_words_of_a_command_are_shown_without_its_secrets() -> None:
    words = [
        "serve",
        "--token",
        "s3cr3t",
        "--verbose",
        "--password=hunter2",
        "token",
        "list",
        "sh -c 'x --api-key k3y'",
    ]
    assert render_words(words) == ["serve", "--token", SECRET, "--verbose", SECRET, "token", "list", SECRET]
    assert render_words([]) == []


@pytest.mark.parametrize("text", ["a", "a=", "-a ", "password='", "x://a:", "a:b@"])
def test_long_text_is_read_in_well_under_a_second(text: str) -> None:
    # What a regular expression reads again from each place takes minutes at this length.
    started = time.process_time()
    is_secret("x", text * (32_000 // len(text)))
    assert time.process_time() - started < 1

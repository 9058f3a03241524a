"""Readable text: what others wrote, without a sign that hides, turns or forges any of it."""

from __future__ import annotations

import pytest

from runyard.readable import readable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Größe, 日本語, 👍", "plain, Größe, 日本語, 👍"),
        ("a\x1b[2Kb\r\n", "a\\x1b[2Kb\\r\\n"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("user\u202e\u2066 }\u2069", "user\\u202e\\u2066 }\\u2069"),
        ("a\u200bb\u2060c\ufeffd\U000e0041", "a\\u200bb\\u2060c\\ufeffd\\U000e0041"),
        ("", ""),
    ],
)
def test_what_does_not_print_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_what_is_to_stay_stays() -> None:
    assert readable("a\tb\nc\x1b", keep="\n\t") == "a\tb\nc\\x1b"

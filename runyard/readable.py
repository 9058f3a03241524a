"""Readable text: what others wrote, as a report, a log or a terminal may show it."""

from __future__ import annotations


def readable(text: str) -> str:
    """Give a text on one line, with escapes for what does not print, or would move, hide or turn around what does.

    That is what Python takes for not printable: control and format characters (those that change a text's direction
    and those of no width among them), line and paragraph separators, and all spaces but the usual one.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)

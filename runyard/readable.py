"""Readable text: what others wrote, as a report, a log or a terminal may show it."""

from __future__ import annotations


def readable(text: str, *, keep: str = "") -> str:
    """Give a text with escapes for what does not print, or would move, hide or turn around what does.

    That is what Python takes for not printable: control and format characters (those that change a text's direction
    and those of no width among them), line and paragraph separators, and all spaces but the usual one. `keep` has
    those that stay, such as the ends of lines where the text is meant to have several.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else ascii(each)[1:-1] for each in text)

"""A rendered nginx.conf as its directives, and texts that try to be more than one of their arguments."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crossplane
from hypothesis import strategies as st

# What nginx, Lua, Jinja or a shell would read as more than text.
HOSTILE = "\"'\\;{}$#\n\r\t\x00 %()[]|&`<>*?~:" + string.ascii_letters + string.digits + "/._-\u2028é"
hostile_text = st.text(HOSTILE, max_size=40) | st.text(max_size=20) | st.text(HOSTILE).map(lambda text: "/var/" + text)


def parse(text: str, directory: Path) -> list[dict[str, Any]]:
    """Parse a rendered configuration into crossplane's tree of directives."""
    path = directory / "nginx.conf"
    path.write_text(text)
    payload = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
    assert payload["errors"] == []
    return list(payload["config"][0]["parsed"])


def walk(tree: list[dict[str, Any]], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Give every directive as its path of names and its arguments."""
    for each in tree:
        if each["directive"] != "#":
            name = f"{path}/{each['directive']}"
            yield name, each["args"]
            yield from walk(each.get("block", []), name)

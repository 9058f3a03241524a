"""Tree of errors as `runyard.errors` draws it and docs/cli.md tells it, compared with the classes of every package."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from runyard import errors
from tests.unit import checkout

DRAWN = re.compile(r"^((?:\|   |    )*)(?:\+-- )?(\w+) +exit (\d) ?(?:.*?)(?:\(([\w.]+)\))?$", re.MULTILINE)
SIGNAL = re.compile(r"(\w+) and (\w+) \(([\w.]+)\)|(\w+)\s+\(([\w.]+)\)")


class Error(NamedTuple):
    """A class of the tree: its parent, the code that a program ends with, and the room that defines it."""

    parent: str
    code: int
    room: str


def drawn() -> dict[str, Error]:
    """Read the drawing; a line's parent is the last line before it that stands one step to the left."""
    found: dict[str, Error] = {}
    line: list[str] = []
    for lead, name, code, room in DRAWN.findall(errors.__doc__ or ""):
        depth = 0 if not line else len(lead) // 4 + 1
        line[depth:] = [name]
        found[name] = Error(line[depth - 1] if depth else "Exception", int(code), room or "runyard.errors")
    return found


def classes() -> Iterator[tuple[str, str, ast.ClassDef]]:
    for path in checkout.code(*checkout.SOURCE_ROOTS, suffixes=(".py",)):
        room = checkout.room(checkout.module_name(path)) or path.parts[0]
        for node in ast.walk(checkout.tree(path)):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    yield room, ast.unparse(base).rpartition(".")[2], node


def defined() -> dict[str, Error]:
    """Read every class that has RunyardError above it, by the names of bases."""
    found = {"RunyardError": Error("Exception", 1, "runyard.errors")}
    every = list(classes())
    while new := {node.name for _, base, node in every if base in found and node.name not in found}:
        for room, base, node in every:
            if node.name in new and base in found:
                own = [
                    ast.literal_eval(each.value)
                    for each in node.body
                    if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "exit_code"
                ]
                found[node.name] = Error(base, own[0] if own else found[base].code, room)
    return found


def signals() -> set[tuple[str, str]]:
    """Read the exceptions that the drawing names beside the tree, with their rooms."""
    (text,) = re.findall(r"are no errors, .*?: (.*)\.\n", errors.__doc__ or "", re.DOTALL)
    found = set()
    for first, second, rooms, only, room in SIGNAL.findall(text):
        found |= {(first, rooms), (second, rooms)} if first else {(only, room)}
    return found


def test_tree_is_drawn_as_it_is_defined() -> None:
    assert drawn() == defined()


def test_every_other_exception_is_told_to_be_a_signal() -> None:
    exceptions = {
        name for name, each in vars(builtins).items() if isinstance(each, type) and issubclass(each, BaseException)
    }
    others = {(node.name, room) for room, base, node in classes() if base in exceptions}
    assert others - {("RunyardError", "runyard.errors")} == signals()


def test_errors_are_alone_with_their_names() -> None:
    known = set(defined())
    named = [node.name for _, base, node in classes() if node.name in known]
    assert sorted(named) == sorted(known)


def test_table_of_exit_codes_has_every_error() -> None:
    text = checkout.text(Path("docs/cli.md"))
    rows = re.findall(r"^\| (\d+) \| .*? \| (.*?) \|$", text, re.MULTILINE)
    told = {(name, int(code)) for code, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert told == {(name, each.code) for name, each in drawn().items() if name != "RunyardError"}

"""Reader of YAML: text to documents of plain data with positions, in one pass over the parser's events.

Nothing is constructed but text, numbers, booleans, lists and mappings, and everything is counted, so a hostile
file costs no more than an honest one of the same size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import yaml

from runyard.manifest.documents import Mark, Places, YamlDocument
from runyard.manifest.model import Location
from runyard.manifest.problems import Path, Problem, render_path, render_value
from runyard.manifest.scalars import AmbiguousScalar, parse_scalar

# The deepest field of a Service is 11 levels down.
DEPTH_LIMIT = 64
# What libyaml says from 0.2.6 on, whose parser reads ahead of the limit above.
_LIBRARY_TOO_DEEP = "exceeded maximum nesting depth"
# A Service that uses every field many times has some hundreds of nodes; aliases are counted as what they stand for.
DOCUMENT_NODE_LIMIT = 20_000
# 2,000 services of the usual 60 nodes; the slowest file of so many is refused within a second.
FILE_NODE_LIMIT = 120_000
# As many services as those nodes are; documents cost most of all when each of them is small.
FILE_DOCUMENT_LIMIT = 2_000
# Nobody reads more at once, and a hostile file could hold a problem in every second byte.
PROBLEM_LIMIT = 100

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# libyaml compares each of these lines with all before it, and no manifest needs one.
_TAG_DIRECTIVE = re.compile("^%TAG", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"})
_TEXT_TAGS = frozenset({"!", _TAG + "str"})
_MERGE = "<<"
_NO_KEY: Any = object()


def read_documents(file: str, text: str, problems: list[Problem]) -> Iterator[YamlDocument]:
    """Read a file's documents one by one; what cannot be read is added to `problems`, and the rest is still read."""
    refused = _refuse_text(file, text)
    if refused is not None:
        problems.append(refused)
        return
    builder = _Builder(file, problems)
    loader = yaml.CSafeLoader(text)
    try:
        yield from _run(loader.get_event, builder)
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax_problem(file, text, error))
    except yaml.YAMLError as error:
        message = "cannot be read as YAML: " + " ".join(str(error).split())
        problems.append(Problem(Location(file, 1, 1), "", message, "yaml.syntax"))
    finally:
        loader.dispose()


def _refuse_text(file: str, text: str) -> Problem | None:
    """Find what makes a text unfit for the parser."""
    if (found := _CONTROL.search(text)) is not None:
        message, rule = f"must hold no control characters, got U+{ord(found[0]):04X}", "yaml.characters"
    elif (found := _TAG_DIRECTIVE.search(text)) is not None:
        message, rule = "must have no %TAG directive", "yaml.tag"
    else:
        return None
    line = text.count("\n", 0, found.start())
    column = found.start() - (text.rfind("\n", 0, found.start()) + 1)
    return Problem(Location(file, line + 1, column + 1), "", message, rule)


def _syntax_problem(file: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    """Tell what the parser says, where it says it."""
    mark: Any = error.problem_mark or error.context_mark
    context = f" {error.context}" if error.context else ""
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    if line > (last := text.count("\n")):
        # Of a text without a last line feed the parser puts the end where the next line would be.
        line, column = last, len(text) - (text.rfind("\n") + 1)
    where = Location(file, line + 1, column + 1)
    if error.problem == _LIBRARY_TOO_DEEP:
        return Problem(where, "", _too_deep(), "yaml.depth")
    return Problem(where, "", f"cannot be read as YAML: {error.problem}{context}", "yaml.syntax")


def _too_deep() -> str:
    return f"must not be nested deeper than {DEPTH_LIMIT} levels; reading stopped here"


def _run(next_event: Callable[[], Any], builder: _Builder) -> Iterator[YamlDocument]:
    handlers: dict[type, Callable[[Any], None]] = {
        yaml.ScalarEvent: builder.scalar,
        yaml.MappingStartEvent: builder.open_mapping,
        yaml.SequenceStartEvent: builder.open_list,
        yaml.MappingEndEvent: builder.close,
        yaml.SequenceEndEvent: builder.close,
        yaml.AliasEvent: builder.alias,
        yaml.DocumentStartEvent: builder.open_document,
    }
    while (event := next_event()) is not None:
        kind = type(event)
        if kind is yaml.DocumentEndEvent:
            if (document := builder.document()) is not None:
                yield document
        elif kind in handlers:
            handlers[kind](event)


class _Stop(Exception):
    """The rest of the file is not worth reading; the problem that says why is already kept."""


class _Frame:
    """An open mapping or list: its data, its places, and the key that waits for a value."""

    __slots__ = ("anchor", "held", "is_mapping", "key", "key_mark", "mark", "merges", "opened_at", "value")

    def __init__(self, is_mapping: bool, event: Any, opened_at: int) -> None:
        self.is_mapping = is_mapping
        self.value: Any = {} if is_mapping else []
        self.held: Any = {} if is_mapping else []
        self.key: Any = _NO_KEY
        self.key_mark: Any = None
        self.mark = event.start_mark
        self.anchor = event.anchor
        self.opened_at = opened_at
        self.merges: list[tuple[Any, Mark]] | None = None


class _Builder:
    """Documents under construction, with an explicit stack instead of recursion."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self._stack: list[_Frame] = []
        self._places: Places = {}
        self._root: Any = None
        self._start: Any = None
        self._nodes = 0
        self._nodes_before = 0
        self._documents = 0
        # By name: the value and its size in nodes; None while the anchored node is still open.
        self._anchors: dict[str, tuple[Any, int] | None] = {}

    def open_document(self, event: Any) -> None:
        """Start afresh; anchors do not outlive their document."""
        self._places, self._anchors, self._root, self._start = {}, {}, None, event.start_mark
        self._nodes_before += self._nodes
        self._nodes = 0
        self._documents += 1
        if self._documents > FILE_DOCUMENT_LIMIT:
            message = f"must hold at most {FILE_DOCUMENT_LIMIT} documents; reading stopped here"
            self._stop(event.start_mark, "yaml.documents", message)
        self._count(1, event.start_mark)

    def document(self) -> YamlDocument | None:
        """Give the document that was just read; None if it is empty."""
        return None if self._root is None else YamlDocument(self.file, self._root, self._start, self._places)

    def scalar(self, event: Any) -> None:
        """Take a scalar as a key, an item or a value."""
        self._count(1, event.start_mark)
        text = event.value
        tag = event.tag
        frame = self._stack[-1] if self._stack else None
        plain = event.implicit[0] if tag is None else tag in _PLAIN_TAGS
        if tag is not None and not plain and tag not in _TEXT_TAGS:
            self._refuse_tag(event)
        if not plain:
            if "\0" in text:
                self._report(event.start_mark, "yaml.characters", "must hold no NUL character", "")
            value: Any = text
        elif text == _MERGE and frame is not None and frame.is_mapping and frame.key is _NO_KEY:
            frame.key, frame.key_mark = _MERGE, event.start_mark
            frame.merges = frame.merges or []
            return
        else:
            value = self._parse(text, event.start_mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, event.start_mark, plain)

    def open_mapping(self, event: Any) -> None:
        """Open a mapping."""
        self._open(True, event)

    def open_list(self, event: Any) -> None:
        """Open a list."""
        self._open(False, event)

    def close(self, _event: Any) -> None:
        """Close the innermost mapping or list and hand it to what holds it."""
        frame = self._stack.pop()
        if frame.merges:
            self._merge(frame)
        self._places[id(frame.value)] = frame.held
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, self._nodes - frame.opened_at)
        self._add(frame.value, frame.mark, False)

    def alias(self, event: Any) -> None:
        """Take an alias as the node that it names, and count it as all of that node's nodes."""
        name = event.anchor
        known = self._anchors.get(name)
        if known is None:
            inside = name in self._anchors
            message = f"alias *{name} {'stands inside the node that it names' if inside else 'names no anchor'}"
            self._report(event.start_mark, "yaml.alias", message, "")
            raise _Stop
        value, size = known
        self._count(size, event.start_mark)
        self._add(value, event.start_mark, False)

    def _parse(self, text: str, mark: Mark) -> Any:
        try:
            return parse_scalar(text)
        except AmbiguousScalar as error:
            path = self._path()
            shown = render_value(text, path)
            self._report(mark, "yaml.ambiguous", f"{error}, got {shown}", "quote it")
            return text

    def _open(self, is_mapping: bool, event: Any) -> None:
        self._count(1, event.start_mark)
        if event.tag is not None and event.tag not in ("!", _TAG + ("map" if is_mapping else "seq")):
            self._refuse_tag(event)
        if len(self._stack) >= DEPTH_LIMIT:
            self._stop(event.start_mark, "yaml.depth", _too_deep())
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Frame(is_mapping, event, self._nodes - 1))

    def _add(self, value: Any, mark: Mark, plain: bool) -> None:
        if not self._stack:
            self._root, self._start = value, mark
            return
        frame = self._stack[-1]
        if not frame.is_mapping:
            frame.value.append(value)
            frame.held.append(mark)
        elif frame.key is _NO_KEY:
            self._add_key(frame, value, mark, plain)
        else:
            self._add_value(frame, value, mark)

    def _add_key(self, frame: _Frame, value: Any, mark: Mark, plain: bool) -> None:
        if not isinstance(value, str):
            hint = "quote it" if plain else ""
            self._report(mark, "yaml.key", f"must be text as a key, got {render_value(value)}", hint)
            # A key that no field has; it lets the rest be read, and is taken out again with its value.
            frame.key, frame.key_mark = None, mark
            return
        frame.key, frame.key_mark = value, mark
        if value in frame.held:
            first = frame.held[value][0].line + 1
            self._report(mark, "yaml.duplicate-key", f"must not be given twice, first in line {first}", "")

    def _add_value(self, frame: _Frame, value: Any, mark: Mark) -> None:
        key, frame.key = frame.key, _NO_KEY
        if key is None:
            return
        if key is _MERGE and frame.merges is not None:
            frame.merges.append((value, mark))
            return
        if key not in frame.held:
            frame.held[key] = (frame.key_mark, mark)
            if value is not None:
                frame.value[key] = value

    def _merge(self, frame: _Frame) -> None:
        """Add what `<<` names; the mapping's own keys win, then the mappings named first."""
        for merged, mark in frame.merges or ():
            for source in merged if isinstance(merged, list) else [merged]:
                if not isinstance(source, dict):
                    self._report(mark, "yaml.merge", "must be a mapping or a list of mappings to be merged", "")
                    continue
                held = self._places[id(source)]
                self._count(len(source), mark)
                for key, value in source.items():
                    if key not in frame.held:
                        frame.held[key] = held[key]
                        frame.value[key] = value

    def _count(self, nodes: int, mark: Mark) -> None:
        self._nodes += nodes
        if self._nodes > DOCUMENT_NODE_LIMIT:
            message = f"must hold at most {DOCUMENT_NODE_LIMIT} nodes with aliases expanded; reading stopped here"
            self._stop(mark, "yaml.nodes", message)
        if self._nodes_before + self._nodes > FILE_NODE_LIMIT:
            self._stop(mark, "yaml.nodes", f"must hold at most {FILE_NODE_LIMIT} nodes in a file; reading stopped here")

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag.replace(_TAG, "!!", 1)
        self._report(event.start_mark, "yaml.tag", f"must not have a tag, got {render_value(tag)}", "remove the tag")

    def _report(self, mark: Mark, rule: str, message: str, hint: str) -> None:
        path = render_path(self._path())
        self.problems.append(Problem(Location(self.file, mark.line + 1, mark.column + 1), path, message, rule, hint))
        if len(self.problems) >= PROBLEM_LIMIT:
            self._stop(mark, "yaml.problems", f"has {PROBLEM_LIMIT} problems; reading stopped here")

    def _stop(self, mark: Mark, rule: str, message: str) -> NoReturn:
        self.problems.append(Problem(Location(self.file, mark.line + 1, mark.column + 1), "", message, rule))
        raise _Stop

    def _path(self) -> Path:
        """Give the path of the value that is being read."""
        path: list[str | int] = []
        for frame in self._stack:
            if not frame.is_mapping:
                path.append(len(frame.value))
            elif isinstance(frame.key, str):
                path.append(frame.key)
        return tuple(path)

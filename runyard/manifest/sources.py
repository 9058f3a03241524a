"""Sources of manifests: the files that paths, directories and globs name, and their text."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from runyard.errors import ManifestError
from runyard.location import escape_name
from runyard.manifest.model import Location
from runyard.manifest.problems import Problem

# About 10,000 services of the usual size; larger is a mistake or an attack.
FILE_SIZE_LIMIT = 8 * 1024 * 1024
# What is read of a directory; a file of another name is read only where a path or a link names it.
SUFFIXES = (".yaml", ".yml")
# JSON Schema files live beside the manifests that name them.
_SCHEMA_DIRECTORY = "schema"
_UTF16 = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\x00\x00\xfe\xff", "UTF-32"))

# What YAML takes for the end of a line and reviewers' tools do not (a carriage return alone, U+0085, U+2028, U+2029),
# so that a comment could end where nobody sees it; what turns text around; what has no width, or none of its own.
# Of Unicode's category Cf and its default ignorable letters, those that no script needs in a manifest's plain text.
_HIDDEN = re.compile(
    "\r(?!\n)|[\x85\xad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Of YAML's two escapes in double quotes, the one of four digits reaches so far.
_LARGEST_SHORT = 0xFFFF

# Is told of each "file", "directory" and "glob" and its path, just before it is read.
Listener = Callable[[str, str], None]
_LISTENER: ContextVar[Listener] = ContextVar("listener")


@contextmanager
def reported_to(listener: Listener) -> Iterator[None]:
    """Report everything that is read within the block to a listener, such as the record of an update."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def _report(kind: str, path: str) -> None:
    listener = _LISTENER.get(None)
    if listener is not None:
        listener(kind, path)


def find_files(paths: Sequence[Path | str]) -> tuple[list[str], list[Problem]]:
    """Find the files that these paths name, each once, directories sorted; what names nothing is a problem."""
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for path in map(str, paths):
        found, rule = _expand(path)
        if not found:
            problems.append(_problem(path, "file.missing", rule))
        for file in found:
            if file.isprintable():
                files.setdefault(os.path.realpath(file), file)
            else:
                # Every message names its file: a line break or an escape sequence in it would forge others.
                problems.append(_problem(escape_name(file), "file.name", "must have a printable name"))
    return list(files.values()), problems


def read_text(file: str) -> tuple[str, list[Problem]]:
    """Read a file as UTF-8, with or without a byte order mark; what cannot be read is a problem."""
    _report("file", file)
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            return "", [_problem(file, "file.kind", "must be a regular file")]
        with open(file, "rb") as stream:
            # One byte more than allowed tells a larger file apart, also one that grows meanwhile.
            content = stream.read(FILE_SIZE_LIMIT + 1)
    except OSError as error:
        return "", [_problem(file, "file.unreadable", f"cannot be read: {(error.strerror or str(error)).lower()}")]
    if len(content) > FILE_SIZE_LIMIT:
        return "", [_problem(file, "file.size", f"must be at most {FILE_SIZE_LIMIT // 1024**2} MiB")]
    return _decode(file, content)


def _expand(path: str) -> tuple[list[str], str]:
    try:
        if os.path.isdir(path):
            return list(_walk(path)), "holds no .yaml or .yml file"
        if os.path.lexists(path):
            return [path], ""
        if glob.has_magic(path):
            _report("glob", path)
            found = sorted(glob.glob(path, recursive=True))
            return [file for file in found if not os.path.isdir(file)], "matches no file"
    except ValueError:
        # The kernel's names cannot hold NUL.
        return [], "is not a path"
    return [], "no such file or directory"


def load_text(file: str) -> str:
    """Read a file that is no manifest as `read_text` does; ManifestError if it cannot be read."""
    text, problems = read_text(file)
    if problems:
        raise ManifestError(problems)
    return text


def _walk(directory: str) -> Iterator[str]:
    _report("directory", directory)
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name != _SCHEMA_DIRECTORY and not name.startswith("."))
        for name in folders:
            _report("directory", os.path.join(folder, name))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(folder, name)


def _decode(file: str, content: bytes) -> tuple[str, list[Problem]]:
    for mark, name in _UTF16:
        if content.startswith(mark):
            return "", [_problem(file, "file.encoding", f"must be UTF-8, got {name}", "save it as UTF-8")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"must be UTF-8, got byte 0x{error.object[error.start]:02X}"
        place = _locate(file, error.object[: error.start].decode())
        return "", [Problem(place, "", message, "file.encoding", "save it as UTF-8")]
    # Of each sign the first place: they tend to come in numbers.
    first: dict[str, int] = {}
    for found in _HIDDEN.finditer(text):
        first.setdefault(found[0], found.start())
    hidden = [_hidden(file, text[:at], sign) for sign, at in first.items()]
    return ("", hidden) if hidden else (text, [])


def _hidden(file: str, before: str, sign: str) -> Problem:
    code = ord(sign)
    message = f"must hide nothing, got U+{code:04X}, which ends lines, turns text around or has no width"
    escape = f'write "\\u{code:04x}"' if code <= _LARGEST_SHORT else f'write "\\U{code:08x}"'
    hint = "end lines with a line feed" if sign == "\r" else escape
    return Problem(_locate(file, before), "", message, "file.hidden", hint)


def _locate(file: str, before: str) -> Location:
    return Location(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _problem(file: str, rule: str, message: str, hint: str = "") -> Problem:
    return Problem(Location(file, 1, 1), "", message, rule, hint)

"""Manifest: whatever a file holds, it is loaded, or refused with problems that can be shown; and never read as
something that another reader of YAML reads otherwise.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from runyard.errors import ManifestError, RunyardError
from runyard.manifest import load
from runyard.manifest.problems import Problem
from runyard.manifest.reader import read_documents
from runyard.manifest.sources import read_text
from runyard.plan import plan

LONGEST = 8 << 10
ROOT = Path(__file__).resolve().parents[2]
FILE = Path(tempfile.mkdtemp(prefix="runyard-fuzz-"), "m.yaml")


def seeds() -> Iterator[bytes]:
    """Give the examples and every case of the loader's tests that is one file."""
    files = [*ROOT.glob("manifests/**/*.yaml"), *ROOT.glob("tests/cases/manifest/*/*.yaml")]
    for file in sorted(files):
        yield file.read_bytes()


def attempt(data: bytes) -> None:
    """Load a file of these bytes; AssertionError when it is not loaded or refused as the reader promises."""
    FILE.write_bytes(data)
    lines = data.count(b"\n") + data.count(b"\r") + 1
    try:
        loaded = load([FILE])
    except ManifestError as error:
        _check_refusal(error.problems, lines)
        return
    _check_problems(loaded.warnings, lines)
    _check_meaning()
    try:
        planned = plan(loaded.manifests, "dev")
    except RunyardError as error:
        _check_words(str(error))
        return
    assert planned == plan(load([FILE]).manifests, "dev"), "the same file gives two plans"


def _check_refusal(problems: Sequence[Problem], lines: int) -> None:
    assert any(each.severity == "error" for each in problems), "refused without an error"
    _check_problems(problems, lines)


def _check_words(said: str) -> None:
    assert all(line.isprintable() for line in said.splitlines()), "a plan is refused in words that cannot be shown"


def _check_problems(problems: Sequence[Problem], lines: int) -> None:
    for each in problems:
        assert 1 <= each.location.line <= lines, f"a place outside the file: {each.location}"
        assert each.location.column >= 1, f"a place outside the file: {each.location}"
        text = each.text()
        assert text.isprintable(), "a problem that cannot be shown in a line"
        assert len(text) < 4000, "a problem of more than 4,000 characters"
        text.encode()


class _Loader(yaml.CSafeLoader):
    """PyYAML's own reading of YAML 1.1, but for dates, which stay text here on purpose."""


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _check_meaning() -> None:
    text, problems = read_text(str(FILE))
    ours = [each.data for each in read_documents(str(FILE), text, problems)]
    assert not problems, "loaded, and cannot be read"
    try:
        # A loader of the plain data of YAML, as safe_load is.
        theirs = [each for each in yaml.load_all(text, _Loader) if each is not None]
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    assert _same(ours, [_without_nulls(each) for each in theirs]), "read as PyYAML does not read it"


def _without_nulls(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    return [_without_nulls(each) for each in data] if isinstance(data, list) else data


def _same(ours: Any, theirs: Any) -> bool:
    """Compare with types: to Python, 1 is 1.0 and True."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(_same(value, theirs[key]) for key, value in ours.items())
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    return bool(ours == theirs)


def mutate(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes | None:
    """Change whole lines, as an editor would: moved, doubled, indented, or of another file."""
    if chance.random() < 0.5:
        return None
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    other = chance.choice(others).split(b"\n") if others else lines
    action = chance.randrange(5)
    if action == 0:
        del lines[at]
    elif action == 1:
        lines.insert(at, chance.choice(other))
    elif action == 2:
        lines[at] = b"  " + lines[at] if chance.random() < 0.5 else lines[at].removeprefix(b"  ")
    elif action == 3:
        key, colon, _ = lines[at].partition(b":")
        lines[at] = key + colon + b" " + chance.choice(other).partition(b":")[2].strip() if colon else lines[at]
    else:
        start = chance.randrange(len(other))
        lines[at:at] = other[start : start + chance.randint(1, 12)]
    return b"\n".join(lines)

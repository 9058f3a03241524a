"""Sources: which files paths name, and what of them can be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from runyard.manifest.problems import Problem
from runyard.manifest.sources import FILE_SIZE_LIMIT, find_files, read_text


def texts(problems: list[Problem]) -> list[str]:
    return [problem.text() for problem in problems]


@pytest.fixture(autouse=True)
def _in_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("a: 1\n", encoding="utf-8")


def test_directory_is_read_recursively_and_sorted() -> None:
    write("m/b.yaml", "m/a.yml", "m/sub/c.yaml", "m/notes.txt", "m/schema/x.yaml", "m/.git/y.yaml", "m/.hidden.yaml")
    assert find_files(["m"]) == (["m/a.yml", "m/b.yaml", "m/sub/c.yaml"], [])


def test_file_is_read_whatever_its_name() -> None:
    write("manifest.txt")
    assert find_files([Path("manifest.txt")]) == (["manifest.txt"], [])


def test_glob_is_expanded_and_sorted() -> None:
    write("m/b.yaml", "m/a.yaml", "m/deep/er/c.yaml")
    assert find_files(["m/*.yaml"])[0] == ["m/a.yaml", "m/b.yaml"]
    assert find_files(["m/**/*.yaml"])[0] == ["m/a.yaml", "m/b.yaml", "m/deep/er/c.yaml"]


def test_file_with_brackets_in_its_name_is_no_glob() -> None:
    write("[a].yaml")
    assert find_files(["[a].yaml"]) == (["[a].yaml"], [])


def test_file_named_twice_is_read_once() -> None:
    write("m/a.yaml")
    Path("link.yaml").symlink_to("m/a.yaml")
    assert find_files(["m", "m/a.yaml", "./m/../m/a.yaml", "link.yaml"])[0] == ["m/a.yaml"]


def test_what_names_nothing_is_a_problem_each() -> None:
    Path("empty").mkdir()
    files, problems = find_files(["empty", "gone.yaml", "gone/*.yaml", "a\0b", "a\0*"])
    assert files == []
    assert texts(problems) == [
        "empty:1:1: holds no .yaml or .yml file",
        "gone.yaml:1:1: no such file or directory",
        "gone/*.yaml:1:1: matches no file",
        "a\\x00b:1:1: no such file or directory",
        "a\\x00*:1:1: matches no file",
    ]


@pytest.mark.parametrize("name", ["a\n\n## Approved.yaml", "a\x1b[2K.yaml", "a\u202e.yaml"])
def test_name_that_would_forge_other_lines_is_refused_and_shown_escaped(name: str) -> None:
    write(f"m/{name}", "m/b.yaml")
    files, problems = find_files(["m"])
    assert files == ["m/b.yaml"]
    assert texts(problems) == [f"m/{name.encode('unicode_escape').decode()}:1:1: must have a printable name"]


def test_text_is_utf_8_with_or_without_mark() -> None:
    Path("a").write_bytes("\ufeffä".encode())
    Path("b").write_bytes("ä".encode())
    assert read_text("a") == ("ä", [])
    assert read_text("b") == ("ä", [])


@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-16-le", b"\xff\xfe", "UTF-16"),
        ("utf-16-be", b"\xfe\xff", "UTF-16"),
        ("utf-32-be", b"\0\0\xfe\xff", "UTF-32"),
    ],
)
def test_other_encodings_are_named(encoding: str, mark: bytes, name: str) -> None:
    Path("a").write_bytes(mark + "a: 1".encode(encoding))
    assert texts(read_text("a")[1]) == [f"a:1:1: must be UTF-8, got {name} (save it as UTF-8)"]


def test_broken_utf_8_is_placed_by_characters() -> None:
    Path("a").write_bytes("a: 1\nbä: ".encode() + b"\xed\xa0\x80")
    assert texts(read_text("a")[1]) == ["a:2:5: must be UTF-8, got byte 0xED (save it as UTF-8)"]


@pytest.mark.parametrize(
    "sign",
    ["\x85", "\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\u200d", "\u2060", "\u3164", "\ufeff", "\U000e0041"],
)
def test_sign_that_hides_what_a_manifest_says_is_refused_where_it_stands_first(sign: str) -> None:
    Path("a").write_text(f"a: 1\n# hä{sign}command: [evil]{sign}\n", encoding="utf-8")
    text, (problem,) = read_text("a")
    code = ord(sign)
    escape = f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    assert (text, problem.text()) == (
        "",
        f"a:2:5: must hide nothing, got U+{code:04X}, which ends lines, turns text around or has no width "
        f'(write "{escape}")',
    )


def test_carriage_return_ends_a_line_only_with_a_line_feed() -> None:
    Path("a").write_bytes(b"a: 1\r\nb: 2\r\n")
    assert read_text("a") == ("a: 1\r\nb: 2\r\n", [])
    Path("b").write_bytes(b"a: 1\n# harmless\rcommand: [evil]\n")
    assert texts(read_text("b")[1]) == [
        "b:2:11: must hide nothing, got U+000D, which ends lines, turns text around or has no width "
        "(end lines with a line feed)"
    ]


def test_escapes_say_what_plain_text_may_not() -> None:
    Path("a.yaml").write_text('a: "x\\u2028y\\u202e"\n', encoding="utf-8")
    text, problems = read_text("a.yaml")
    assert (yaml.safe_load(text), problems) == ({"a": "x\u2028y\u202e"}, [])


def test_file_up_to_the_limit_is_read_and_no_more() -> None:
    with open("a", "wb") as stream:
        stream.truncate(FILE_SIZE_LIMIT)
    with open("b", "wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    assert len(read_text("a")[0]) == FILE_SIZE_LIMIT
    assert texts(read_text("b")[1]) == ["b:1:1: must be at most 8 MiB"]


def test_special_files_are_refused_without_opening_them() -> None:
    os.mkfifo("pipe")
    assert texts(read_text("pipe")[1]) == ["pipe:1:1: must be a regular file"]
    assert texts(read_text("/dev/zero")[1]) == ["/dev/zero:1:1: must be a regular file"]


def test_dangling_link_cannot_be_read() -> None:
    Path("link.yaml").symlink_to("gone")
    assert find_files(["link.yaml"]) == (["link.yaml"], [])
    assert texts(read_text("link.yaml")[1]) == ["link.yaml:1:1: cannot be read: no such file or directory"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_cannot_be_read() -> None:
    write("a.yaml")
    Path("a.yaml").chmod(0)
    assert texts(read_text("a.yaml")[1]) == ["a.yaml:1:1: cannot be read: permission denied"]

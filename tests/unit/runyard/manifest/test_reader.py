"""Reader: data, places, caps, and that nothing makes it fail or stall."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.manifest.documents import YamlDocument
from runyard.manifest.problems import Path, Problem
from runyard.manifest.reader import (
    DEPTH_LIMIT,
    DOCUMENT_NODE_LIMIT,
    FILE_DOCUMENT_LIMIT,
    FILE_NODE_LIMIT,
    PROBLEM_LIMIT,
    read_documents,
)


def read(text: str) -> tuple[list[YamlDocument], list[Problem]]:
    problems: list[Problem] = []
    documents = list(read_documents("f.yaml", text, problems))
    return documents, problems


def read_data(text: str) -> list[Any]:
    documents, problems = read(text)
    assert [problem.text() for problem in problems] == []
    return [document.data for document in documents]


def read_problems(text: str) -> list[str]:
    return [problem.text() for problem in read(text)[1]]


def place(document: YamlDocument, path: Path, *, at_key: bool = False) -> tuple[int, int]:
    location = document.locate(path, at_key)
    return location.line, location.column


def test_documents_hold_plain_data() -> None:
    assert read_data("a: 1\nb: [x, {c: true}]\n---\n- 1.5\n- 'on'\n") == [
        {"a": 1, "b": ["x", {"c": True}]},
        [1.5, "on"],
    ]


def test_key_without_value_is_absent_but_null_items_stay() -> None:
    assert read_data("a:\nb: [~, x]\nc: null\n") == [{"b": [None, "x"]}]


def test_block_and_folded_text_is_kept_as_written() -> None:
    assert read_data("a: |\n  012\n  on\nb: >-\n  yes\n  no\n") == [{"a": "012\non\n", "b": "yes no"}]


def test_places_are_of_keys_and_values() -> None:
    (document,), _ = read("spec:\n  list:\n    - name: a\n    - {name: b, x: 1}\n")
    assert place(document, ()) == (1, 1)
    assert place(document, ("spec",), at_key=True) == (1, 1)
    assert place(document, ("spec", "list", 1)) == (4, 7)
    assert place(document, ("spec", "list", 1, "x")) == (4, 20)
    assert place(document, ("spec", "list", 1, "x"), at_key=True) == (4, 17)


def test_place_of_what_is_missing_is_that_of_what_should_hold_it() -> None:
    (document,), _ = read("spec:\n  list: [a]\n")
    assert place(document, ("spec", "nothing", "deeper")) == (2, 3)
    assert place(document, ("spec", "list", 7)) == (2, 9)
    assert place(document, ("spec", "list", 0, "x")) == (2, 10)


def test_places_count_characters_after_wide_text() -> None:
    (document,), _ = read("å: {ü: '😀', x: 1}\n")
    assert place(document, ("å", "x")) == (1, 16)


def test_aliases_share_and_merges_copy() -> None:
    (data,) = read_data("a: &a {x: 1, z: 2}\nb: *a\nc: {<<: *a, z: 3}\nd: {<<: [{x: 7}, *a]}\n")
    assert data["b"] is data["a"]
    assert data["c"] == {"x": 1, "z": 3}
    assert data["d"] == {"x": 7, "z": 2}


def test_quoted_merge_key_is_an_ordinary_key() -> None:
    assert read_data("a: {'<<': 1}\n") == [{"a": {"<<": 1}}]


def test_anchor_ends_with_its_document() -> None:
    assert read_problems("a: &a 1\n---\nb: *a\n") == ["f.yaml:3:4: b: alias *a names no anchor"]


def test_places_of_merged_keys_are_where_they_were_written() -> None:
    (document,), _ = read("a: &a\n  x: 1\nb:\n  <<: *a\n")
    assert place(document, ("b", "x")) == (2, 6)


def test_problems_do_not_stop_the_reading() -> None:
    documents, problems = read("a: on\nb: 1\na: 2\n---\nc: !x 1\n")
    assert [document.data for document in documents] == [{"a": "on", "b": 1}, {"c": "1"}]
    assert [problem.rule for problem in problems] == ["yaml.ambiguous", "yaml.duplicate-key", "yaml.tag"]


def test_duplicate_key_is_found_when_the_first_had_no_value() -> None:
    assert read_problems("a:\na: 1\n") == ["f.yaml:2:1: a: must not be given twice, first in line 1"]


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!python/module:os"])
def test_python_tags_are_refused_and_run_nothing(tag: str) -> None:
    documents, problems = read(f"a: {tag} ['exit 1']\n")
    assert [problem.rule for problem in problems] == ["yaml.tag"]
    assert documents[0].data == {"a": ["exit 1"]}


def test_depth_up_to_the_limit_is_read() -> None:
    assert read_problems("[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT) == []
    deeper = DEPTH_LIMIT + 1
    assert read_problems("[" * deeper + "]" * deeper) == [
        f"f.yaml:1:{deeper}: must not be nested deeper than 64 levels; reading stopped here"
    ]


def test_nodes_up_to_the_limit_are_read() -> None:
    # The list and the document itself are two of them.
    items = DOCUMENT_NODE_LIMIT - 2
    assert len(read_data("[" + "1," * items + "]")[0]) == items
    assert read_problems("[" + "1," * (items + 1) + "]")[0].endswith(
        "must hold at most 20000 nodes with aliases expanded; reading stopped here"
    )


def test_problems_are_capped() -> None:
    problems = read_problems("a: 1\n" + "a: 2\n" * 1000)
    assert len(problems) == PROBLEM_LIMIT + 1
    assert problems[-1].endswith("has 100 problems; reading stopped here")


def _bomb() -> str:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]\n"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)]
    return "".join(lines)


def _merge_bomb() -> str:
    lines = ["a0: &a0 {k: v}\n"]
    lines += [f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}], k{n}: v}}\n" for n in range(1, 12)]
    return "".join(lines)


def _nodes(value: Any) -> int:
    """Count what a walk that knows nothing of aliases would visit."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_nodes, below))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param(_bomb(), "yaml.nodes", id="alias-bomb"),
        pytest.param(_merge_bomb(), "yaml.nodes", id="merge-bomb"),
        pytest.param("[" * 5000, "yaml.depth", id="flow-depth"),
        pytest.param("".join("  " * n + "a:\n" for n in range(5000)), "yaml.depth", id="block-depth"),
        pytest.param("- " * 5000, "yaml.depth", id="list-depth"),
        pytest.param("{" * 5000, "yaml.depth", id="mapping-depth"),
        pytest.param("? " * 500_000, "yaml.depth", id="key-depth"),
        pytest.param("a: &a\n  b: *a\n", "yaml.alias", id="self-alias"),
        pytest.param("x,\n" * 5, "", id="loose-text"),
        pytest.param("".join(f"%TAG !a{n}! b\n" for n in range(100_000)) + "--- 1\n", "yaml.tag", id="tag-directives"),
        pytest.param("a: 'x\ny: z\n" * 1000, "yaml.syntax", id="open-quotes"),
        pytest.param("[" + "&a x," * 100_000, "yaml.nodes", id="anchors"),
        pytest.param("---\n" * 100_000, "yaml.documents", id="empty-documents"),
        pytest.param("---\na\n" * 100_000, "yaml.documents", id="bare-documents"),
        pytest.param(("---\n[" + "1," * 15_000 + "]\n") * 30, "yaml.nodes", id="long-documents"),
        pytest.param(("---\na: &a [" + "x," * 90 + "]\nb: [" + "*a," * 150 + "]\n") * 100, "yaml.nodes", id="aliases"),
        pytest.param("\0", "yaml.characters", id="nul"),
        pytest.param("a: \ufffe\n", "yaml.characters", id="not-a-character"),
        pytest.param("'\\ud800'", "", id="escaped-quotes"),
        pytest.param('"\\ud800"', "yaml.syntax", id="escaped-surrogate"),
        pytest.param("a: \x85b: 1\n", "", id="next-line"),
        pytest.param("9" * 1_000_000, "yaml.ambiguous", id="long-number"),
        pytest.param("!" * 100_000 + " x", "yaml.tag", id="long-tag"),
        pytest.param("*" + "a" * 100_000, "yaml.alias", id="long-alias"),
    ],
)
def test_hostile_text_is_refused_by_its_rule_and_yields_no_more_than_the_caps(text: str, rule: str) -> None:
    documents, problems = read(text)
    assert {problem.rule for problem in problems} == ({rule} if rule else set())
    assert len(problems) <= PROBLEM_LIMIT + 1
    assert len(documents) <= FILE_DOCUMENT_LIMIT
    sizes = [_nodes(document.data) for document in documents]
    assert max(sizes, default=0) <= DOCUMENT_NODE_LIMIT
    assert sum(sizes) <= FILE_NODE_LIMIT


# Found by the fuzzer: the parser puts the end of such a text where the next line would be.
def test_end_of_a_text_without_a_last_line_feed_is_a_place_in_it() -> None:
    assert read_problems("a: 1\nb") == [
        "f.yaml:2:2: cannot be read as YAML: could not find expected ':' while scanning a simple key"
    ]


def test_nodes_of_all_documents_are_capped_together() -> None:
    lines = [f"[{'1,' * 10_000}]" for _ in range(FILE_NODE_LIMIT // 10_000)]
    assert read_problems("\n---\n".join(lines)) == [
        f"f.yaml:{2 * len(lines) - 1}:{2 * (10_000 - 2 * len(lines)) + 2}: "
        f"must hold at most {FILE_NODE_LIMIT} nodes in a file; reading stopped here"
    ]


def test_documents_up_to_the_limit_are_read() -> None:
    assert len(read_data("---\na\n" * FILE_DOCUMENT_LIMIT)) == FILE_DOCUMENT_LIMIT
    assert read_problems("---\n" * (FILE_DOCUMENT_LIMIT + 1)) == [
        f"f.yaml:{FILE_DOCUMENT_LIMIT + 1}:1: must hold at most 2000 documents; reading stopped here"
    ]


@settings(max_examples=300)
@given(st.text(alphabet="ab:-?[]{}&*!|>'\"%@#,~<\n \t0x1\\\r\x00\x85\ufeff\ud7ff😀", max_size=60))
def test_reader_never_fails_on_any_text(text: str) -> None:
    documents, problems = read(text)
    for problem in problems:
        assert problem.location.line >= 1
        assert problem.location.column >= 1
        assert problem.message
    for document in documents:
        assert document.data is not None


@st.composite
def _plain_data(draw: st.DrawFn) -> Any:
    text = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=10)
    leaves = st.one_of(st.booleans(), st.integers(-(10**17), 10**17), text)
    tree = st.recursive(leaves, lambda each: st.lists(each, max_size=4) | st.dictionaries(text, each, max_size=4))
    return draw(st.dictionaries(text, tree, min_size=1, max_size=4))


@settings(max_examples=50)
@given(_plain_data())
def test_reader_reads_back_what_a_dumper_wrote(data: Any) -> None:
    documents, problems = read(yaml.safe_dump(data, allow_unicode=True))
    assert [document.data for document in documents] == [data] or problems


@settings(max_examples=40)
@given(_plain_data())
def test_reader_and_pyyaml_agree_when_everything_is_quoted(data: Any) -> None:
    text = yaml.safe_dump(data, default_style='"', allow_unicode=False)
    documents, problems = read(text)
    if not problems:
        assert documents[0].data == yaml.safe_load(text)

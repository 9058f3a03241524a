from __future__ import annotations

import json

import pytest

from services.logs.lines import Line, parse_line, time_of
from tests.harness.logs import written

TIME = "2026-11-28T02:26:01.123456789Z"


def raw(text: str, time: str = TIME) -> bytes:
    return json.dumps({"log": text, "stream": "stderr", "time": time}, separators=(",", ":")).encode()


def test_line_has_its_time_its_output_and_its_text_without_its_end() -> None:
    assert parse_line(7, raw("hello\r\n")) == Line(7, TIME, "stderr", "hello", ended=True)
    assert parse_line(7, raw("a part of a lo")) == Line(7, TIME, "stderr", "a part of a lo", ended=False)
    assert parse_line(0, raw("x\n")).unix_s == pytest.approx(1_795_832_761.123456)  # type: ignore[union-attr]


def test_time_is_the_engines_and_not_one_that_a_container_wrote() -> None:
    assert time_of(raw('"time":"1999-01-01T00:00:00Z"\n')) == TIME
    assert time_of(written("x\n").strip()).endswith("Z")


@pytest.mark.parametrize("broken", [b"", b"{", b"\x00" * 40, b'{"log":"x\\n"}', b"[1]", raw("x\n", "yesterday")])
def test_what_is_no_line_of_the_engine_is_none(broken: bytes) -> None:
    assert (parse_line(0, broken), time_of(broken)) == (None, "")


def test_half_a_pair_of_utf_16_becomes_what_every_store_takes() -> None:
    line = parse_line(0, b'{"log":"a\\ud83d\\n","stream":"stdout","time":"' + TIME.encode() + b'"}')
    assert line is not None
    assert line.text.encode()

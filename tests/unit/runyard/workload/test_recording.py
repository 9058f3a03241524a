"""Recording: what a worker keeps of requests, and how it is handed over."""

from __future__ import annotations

import io
import math

import pytest

from runyard.workload.recording import CUT_OFF, ID_BYTES, Recording, Usage, read_recording
from tests.unit.runyard.workload.made import recording


def test_request_that_was_only_due_counts_as_cut_off() -> None:
    made = Recording()
    assert made.add(1.5, 3) == 0
    (row,) = made.rows()
    assert (row.due, row.target, row.status, row.sends, row.request_id, row.cause) == (1.5, 3, 0, 0, "", CUT_OFF)
    assert all(map(math.isnan, (row.begun, row.sent, row.ended)))


def test_equal_causes_have_one_number() -> None:
    made = Recording()
    first, second = made.cause("status 500"), made.cause("status 502")
    assert (made.cause("status 500"), first != second, made.cause("")) == (first, True, 0)


def test_recording_is_read_back_as_it_was_written() -> None:
    rows = [
        {"due": 0.25, "request_id": "a" * 32, "received": 7_000_000_000},
        {"due": 0.5, "status": 503, "cause": "status 503", "target": 2, "sends": 2},
    ]
    made = recording(rows, Usage(1.5, 0.25, 30.0))
    stream = io.BytesIO()
    made.dump(stream)
    stream.seek(0)
    found = read_recording(stream)
    assert found.rows() == made.rows()
    assert found.usage == Usage(1.5, 0.25, 30.0)
    assert [row.request_id for row in found.rows()] == ["a" * 32, ""]


def test_recording_without_a_request_is_one() -> None:
    stream = io.BytesIO()
    Recording().dump(stream)
    stream.seek(0)
    assert read_recording(stream).rows() == []


@pytest.mark.parametrize("kept", [0, 20])
def test_recording_that_breaks_off_is_refused(kept: int) -> None:
    stream = io.BytesIO()
    recording([{"due": 0.25}]).dump(stream)
    with pytest.raises(ValueError, match="the recording is missing"):
        read_recording(io.BytesIO(stream.getvalue()[:kept]))


def test_recording_that_lacks_a_row_says_so() -> None:
    stream = io.BytesIO()
    recording([{"due": 0.25}, {"due": 0.5}]).dump(stream)
    with pytest.raises(ValueError, match="the recording ends early: 2 rows are said, 2 begun"):
        read_recording(io.BytesIO(stream.getvalue()[:-1]))


@pytest.mark.parametrize("request_id", ["x" * (ID_BYTES + 1), "ä"])
def test_id_that_is_no_short_ascii_is_none(request_id: str) -> None:
    (row,) = recording([{"request_id": request_id}]).rows()
    assert row.request_id == ""

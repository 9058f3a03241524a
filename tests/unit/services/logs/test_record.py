from __future__ import annotations

import json

import pytest

from services.logs.query import OWN
from services.logs.record import MOST_FIELDS, MOST_NAME_BYTES, fields_of, severity_of


def test_fields_of_json_are_below_their_own_names() -> None:
    said = {"message": "no stock", "order": {"id": 7, "paid": False, "tags": ["a", "b"]}, "none": None, "empty": ""}
    assert fields_of(json.dumps(said)) == {
        "jsonPayload.message": "no stock",
        "jsonPayload.order.id": "7",
        "jsonPayload.order.paid": "false",
        "jsonPayload.order.tags": '["a", "b"]',
    }


def test_what_cloud_logging_understands_is_lifted() -> None:
    said = {
        "severity": "warn",
        "httpRequest": {"requestMethod": "GET", "status": 503, "latency": "0.2s"},
        "logging.googleapis.com/trace": "projects/p/traces/t1",
        "logging.googleapis.com/spanId": "s1",
    }
    assert fields_of(json.dumps(said)) == {
        "severity": "WARNING",
        "jsonPayload.severity": "warn",
        "httpRequest.requestMethod": "GET",
        "httpRequest.status": "503",
        "httpRequest.latency": "0.2s",
        "trace": "projects/p/traces/t1",
        "spanId": "s1",
    }


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ({"severity": "ERROR"}, "ERROR"),
        ({"level": "info"}, "INFO"),
        ({"levelname": "Fatal"}, "CRITICAL"),
        ({"level": 50}, "ERROR"),
        ({"severity": 400}, "WARNING"),
        ({"level": True}, ""),
        ({"severity": "loud", "level": "info"}, ""),
        ({}, ""),
    ],
)
def test_severity_is_cloud_loggings_whatever_a_library_calls_it(said: dict[str, object], severity: str) -> None:
    assert severity_of(said) == severity


def test_no_field_says_whose_a_line_is_whatever_it_says() -> None:
    forged = {name: "forged" for name in (*OWN, "_time", "_msg", "_stream", "_stream_id", "tenant", "AccountID")}
    found = fields_of(json.dumps(forged | {"httpRequest": "forged", "trace": "forged"}))
    assert {name.partition(".")[0] for name in found} == {"jsonPayload"}


@pytest.mark.parametrize(
    "text", ["plain", "{", "{}", "[1]", '{"a":1', "{" * 500 + "}", '{"a":' * 5000 + "1" + "}" * 5000]
)
def test_what_is_no_object_of_json_has_no_fields(text: str) -> None:
    assert fields_of(text) == {}


def test_fields_are_bounded_in_number_and_in_their_names() -> None:
    assert len(fields_of(json.dumps({f"f{number}": 1 for number in range(500)}))) == MOST_FIELDS
    assert fields_of(json.dumps({"x" * MOST_NAME_BYTES: 1})) == {}
    deep: object = 1
    for _ in range(60):
        deep = {"n": deep}
    assert all(len(name) <= MOST_NAME_BYTES for name in fields_of(json.dumps({"a": deep})))


def test_half_a_pair_of_utf_16_becomes_what_every_store_takes() -> None:
    (text,) = fields_of('{"a":"\\ud83d"}').values()
    assert text.encode()

"""The contracts that the meter reads: the gateway's line of a request, and what the registry tells of instances."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import ContainerStatus, InstanceList, InstanceStatus, RequestLine, decode, encode, fields_of
from runyard.errors import ContractError
from runyard.names import REQUEST_LOG_NAME, REQUESTS_DIRECTORY
from tests.unit import checkout

LINE: dict[str, Any] = {
    "version": 1, "time": "2026-11-23T12:00:00+00:00", "unix_s": 1795435200.123, "request_id": "f00d",
    "listener": "edge", "client": "192.0.2.7", "caller": "", "host": "web.localhost", "tenant": "shop",
    "service": "web", "revision": "web-1", "instance": "10.0.0.2:8080", "method": "GET", "path": "/", "status": 200,
    "bytes_in": 100, "bytes_out": 1000, "duration_s": 0.05, "instances": "10.0.0.9:8080, 10.0.0.2:8080",
    "connect_s": "-, 0.000", "header_s": "-, 0.050", "response_s": "0.001, 0.050", "retries": 1, "held_s": 0.0,
}  # fmt: skip
INSTANCE = InstanceStatus(
    "shop", "web", "web-1", "a1", "ready", "10.0.0.2",
    containers=(
        ContainerStatus("f" * 64, "app", 1_795_435_200_123, 500, 128 * 1024**2, serving=True),
        ContainerStatus("e" * 64, "side", 1_795_435_200_456, 100, 64 * 1024**2),
    ),
)  # fmt: skip


def written() -> str:
    """Give the format of the log as the template writes it."""
    template = checkout.text(Path("templates/gateway/log.conf.j2"))
    return "".join(re.findall(r"'([^']*)'", template[template.index("log_format requests") :]))


def test_line_is_read_as_it_was_written() -> None:
    line = decode(RequestLine, json.dumps(LINE))
    assert {name: getattr(line, name) for name in LINE} == LINE
    assert decode(RequestLine, encode(line)) == line


def test_template_writes_every_field_of_the_contract_once_and_no_other() -> None:
    named = re.findall(r'"([a-z_]+)":', written())
    assert sorted(named) == sorted(fields_of(RequestLine))
    assert named[0] == "version"


def test_texts_stand_in_quotation_marks_and_numbers_do_not() -> None:
    quoted = set(re.findall(r'"([a-z_]+)":"', written()))
    assert quoted == {name for name, value in LINE.items() if isinstance(value, str)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "decode RequestLine: version: must be 1, got 2"),
        ({"status": "200"}, "decode RequestLine.status: must be of type int, got '200'"),
        ({"duration_s": 1}, "decode RequestLine.duration_s: must be of type float, got 1"),
        ({"cookie": "x"}, "decode RequestLine: unknown field 'cookie'"),
    ],
)
def test_line_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode(RequestLine, json.dumps(LINE | change))
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["", json.dumps(LINE)[:200], json.dumps(LINE) * 2])
def test_half_a_line_or_two_in_one_are_refused(text: str) -> None:
    with pytest.raises(ContractError, match=r"^decode RequestLine: not JSON: "):
        decode(RequestLine, text)


def test_containers_of_an_instance_survive_encoding() -> None:
    listed = InstanceList((INSTANCE,))
    assert decode(InstanceList, encode(listed)) == listed


def test_instance_of_an_older_orchestrator_has_no_containers() -> None:
    told = json.loads(encode(InstanceList((INSTANCE,))))
    del told["instances"][0]["containers"]
    (found,) = decode(InstanceList, json.dumps(told)).instances
    assert (found.containers, found.address) == ((), "10.0.0.2")


def test_container_without_its_start_is_refused() -> None:
    told = json.loads(encode(InstanceList((INSTANCE,))))
    del told["instances"][0]["containers"][1]["started_ms"]
    with pytest.raises(ContractError, match=r"instances\[0\]\.containers\[1\]: field 'started_ms' is missing$"):
        decode(InstanceList, json.dumps(told))


def test_log_lies_where_readers_have_its_volume() -> None:
    # The gateway's own command, in Go, has the same places.
    settings = checkout.text(Path("services/gateway/command/settings.go"))
    assert f'"{REQUESTS_DIRECTORY}"' in settings
    assert f'"{REQUEST_LOG_NAME}"' in settings

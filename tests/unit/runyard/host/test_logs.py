"""Kept logs as the client's side asks for them: over one relay, and refused in the part's own words."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import pytest

from runyard import names
from runyard.contracts import LogEntry, LogPage, encode
from runyard.errors import HostError, UsageError
from runyard.host.logs import Logs
from runyard.host.thing import Found

ENTRY = LogEntry("c-f-0", "2026-11-28T02:26:00Z", "web-1", "a1", "app", "stdout", "hello", {"severity": "INFO"})


class FakeHost:
    """A host whose part answers these, one after another."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.relays = self.open = 0

    def relay(self, container: str, command: Sequence[str]) -> Any:
        assert (container, command) == ("runyard.prod.logs", names.LOGS_RELAY)
        self.relays += 1
        self.open += 1
        return self

    def request(self, method: str, path: str, body: str, timeout_s: float) -> tuple[int, str]:
        assert (method, body, timeout_s > 0) == ("GET", "", True)
        self.asked.append(path)
        return self.answers.pop(0)

    def close(self) -> None:
        self.open -= 1

    def labelled(self, label: str) -> list[Found]:
        assert label == "runyard.dev/role=logs"
        created = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        return [Found("runyard.prod.logs", "id-1", created, {})]


def test_logs_are_asked_for_over_one_connection() -> None:
    host = FakeHost((200, encode(LogPage((ENTRY,)))), (200, encode(LogPage())))
    logs = Logs(host, "prod")
    assert logs.read("shop", "web", [("grep", "a b"), ("field", "trace=t")]).entries == (ENTRY,)
    assert logs.read("a/b", "web", []).entries == ()
    assert host.asked == [
        "/v1/tenants/shop/services/web/log?grep=a+b&field=trace%3Dt",
        "/v1/tenants/a%2Fb/services/web/log?",
    ]
    logs.close()
    logs.close()
    assert (host.relays, host.open) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        ((400, json.dumps({"detail": "log: grep: must be given once"})), UsageError, "log: grep: must be given once"),
        ((502, json.dumps({"detail": "store: away"})), HostError, "store: away"),
        ((500, "oops"), HostError, "the logs' part answers 500"),
    ],
)
def test_what_is_refused_is_told_in_its_words(answer: tuple[int, str], error: type[Exception], told: str) -> None:
    with pytest.raises(error) as raised:
        Logs(FakeHost(answer), "prod").read("shop", "web", [])
    assert str(raised.value) == told


def test_stack_keeps_logs_where_it_has_the_part_and_no_other_stacks() -> None:
    assert Logs(FakeHost(), "prod").kept()
    assert not Logs(FakeHost(), "dev").kept()

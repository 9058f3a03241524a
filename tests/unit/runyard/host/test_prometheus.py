"""Prometheus as the client's side asks it: over one relay, which may end between two questions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from runyard.errors import HostError, NotFound, RelayEnded
from runyard.host.prometheus import PrometheusHost
from runyard.names import PROMETHEUS_RELAY

Answer = tuple[int, str] | HostError


class FakeHost:
    """A host whose container answers these, one after another, and whose relays are numbered."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, str]] = []
        self.opened, self.open = 0, 0

    def relay(self, container: str, command: Sequence[str]) -> Any:
        assert (container, command) == ("runyard.prod.prometheus", PROMETHEUS_RELAY)
        if self.answers and isinstance(self.answers[0], NotFound):
            raise self.answers.pop(0)  # type: ignore[misc]
        self.opened += 1
        self.open += 1
        return FakeRelay(self, self.opened)


class FakeRelay:
    """One connection, which gives the host's next answer or fails."""

    def __init__(self, host: FakeHost, number: int) -> None:
        self._host, self._number = host, number

    def request(self, method: str, path: str, body: str, timeout_s: float) -> tuple[int, str]:
        assert (method, body) == ("GET", "")
        self._host.asked.append((self._number, path))
        answer = self._host.answers.pop(0)
        if isinstance(answer, HostError):
            raise answer
        return answer

    def close(self) -> None:
        self._host.open -= 1


def test_questions_share_one_connection_which_is_closed_at_the_end() -> None:
    host = FakeHost((200, "one"), (200, "two"))
    prometheus = PrometheusHost(host, "prod")
    assert [prometheus.ask("/a"), prometheus.ask("/b")] == ["one", "two"]
    assert host.asked == [(1, "/a"), (1, "/b")]
    prometheus.close()
    prometheus.close()
    assert host.open == 0


def test_connection_that_ended_meanwhile_is_opened_anew() -> None:
    host = FakeHost((200, "one"), RelayEnded("closed"), (200, "two"))
    prometheus = PrometheusHost(host, "prod")
    assert [prometheus.ask("/a"), prometheus.ask("/b")] == ["one", "two"]
    assert host.asked == [(1, "/a"), (1, "/b"), (2, "/b")]
    assert host.open == 1


@pytest.mark.parametrize(
    "answers", [(RelayEnded("no"), RelayEnded("no")), (HostError("no"),)], ids=["not_there", "silent"]
)
def test_one_that_does_not_answer_any_more_is_an_error_and_its_connection_is_closed(
    answers: tuple[Answer, ...],
) -> None:
    host = FakeHost((200, ""), *answers)
    prometheus = PrometheusHost(host, "prod")
    prometheus.ask("/a")
    with pytest.raises(HostError, match="no"):
        prometheus.ask("/b")
    assert (host.answers, host.open) == ([], 0)


def test_first_connection_is_tried_once() -> None:
    host = FakeHost(RelayEnded("no"))
    with pytest.raises(RelayEnded, match="no"):
        PrometheusHost(host, "prod").ask("/a")
    assert (host.opened, host.open) == (1, 0)


def test_stack_without_metrics_is_told_how_to_have_them() -> None:
    with pytest.raises(NotFound) as raised:
        PrometheusHost(FakeHost(NotFound("no such container")), "prod").ask("/a")
    assert str(raised.value) == (
        "stack prod keeps no metrics: `observability: {level: basic}` in its Platform has it keep them"
        " (docs/manifest.md)"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps({"status": "error", "error": "parse error"}), "parse error"),
        (" Service Unavailable\n", "Service Unavailable"),
    ],
)
def test_answer_that_is_a_problem_is_told_in_its_words(text: str, reason: str) -> None:
    with pytest.raises(HostError) as raised:
        PrometheusHost(FakeHost((503, text)), "prod").ask("/a")
    assert str(raised.value) == f"ask Prometheus: it answers 503: {reason}"

"""Alertmanager as the client's side tells it: over its relay, patiently while it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from runyard.errors import HostError, RefusedConfiguration
from runyard.host.alertmanager import AlertmanagerHost
from runyard.names import ALERTMANAGER_RELAY


class FakeRelay:
    """One connection, which gives the host's next answer or fails."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    def request(self, method: str, path: str, body: str, timeout_s: float) -> tuple[int, str]:
        self._host.asked.append((method, path, body))
        answer = self._host.answers.pop(0)
        if isinstance(answer, HostError):
            raise answer
        return answer

    def close(self) -> None:
        self._host.open -= 1


class FakeHost:
    """A host whose container answers these, one after another."""

    def __init__(self, *answers: tuple[int, str] | HostError, up: bool = True) -> None:
        self.answers, self.up = list(answers), up
        self.asked: list[tuple[str, str, str]] = []
        self.open = 0

    def relay(self, container: str, command: Sequence[str]) -> Any:
        assert (container, command) == ("runyard.prod.alertmanager", ALERTMANAGER_RELAY)
        self.open += 1
        return FakeRelay(self)

    def running(self, container: str) -> bool:
        assert container == "runyard.prod.alertmanager"
        return self.up


class FakeClock:
    """Time that passes while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def subject(host: FakeHost) -> AlertmanagerHost:
    clock = FakeClock()
    return AlertmanagerHost(host, "prod", clock, clock.wait)


def test_receivers_are_put_and_the_connection_is_closed() -> None:
    host = FakeHost((204, ""))
    subject(host).put("{}")
    assert (host.asked, host.open) == ([("PUT", "/v1/configuration", "{}")], 0)


def test_one_that_is_starting_is_asked_again() -> None:
    host = FakeHost(HostError("no socket yet"), HostError("no socket yet"), (204, ""))
    subject(host).put("{}")
    assert (len(host.asked), host.open) == (3, 0)


def test_one_that_does_not_start_is_told_of_in_the_end() -> None:
    host = FakeHost(*[HostError("no socket yet")] * 1000)
    with pytest.raises(HostError, match="no socket yet"):
        subject(host).put("{}")
    assert host.open == 0


def test_refused_receivers_are_told_with_the_reason_and_another_answer_as_it_is() -> None:
    with pytest.raises(RefusedConfiguration, match=r"receiver a: 127\.0\.0\.1 is of the loopback"):
        subject(FakeHost((422, "receiver a: 127.0.0.1 is of the loopback"))).put("{}")
    with pytest.raises(HostError, match="Alertmanager's guard answers 500: broken"):
        subject(FakeHost((500, "broken\n"))).put("{}")


def test_digest_is_what_it_tells_and_nothing_where_it_tells_none() -> None:
    assert subject(FakeHost((200, "abc\n"))).digest() == "abc"
    assert subject(FakeHost((500, "broken"))).digest() == ""
    assert subject(FakeHost(HostError("gone"))).digest() == ""
    stopped = FakeHost(up=False)
    assert (subject(stopped).digest(), stopped.asked, subject(stopped).running()) == ("", [], False)

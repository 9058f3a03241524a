"""Rollouts under way: one watch for all that wait, failures with their reasons, an orchestrator that starts anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from provider.rollout import Rollouts
from runyard.contracts import RolloutRequest, RouteRequest, ServiceRequest, TrafficShare
from runyard.errors import HostError, RolloutError
from tests.unit.provider.orchestrator import FakeOrchestrator, ended


def request(service: str = "hello", deadline_s: int = 60) -> ServiceRequest:
    return ServiceRequest(
        RouteRequest("default", service, (f"{service}.localhost",)),
        RolloutRequest("default", service, (TrafficShare(f"{service}-1", 100),), deadline_s),
        (),
    )


def rollouts(orchestrator: FakeOrchestrator) -> Rollouts:
    return Rollouts("dev", orchestrator.lend, orchestrator.lend)


def test_rollout_that_becomes_ready_is_carried_out() -> None:
    orchestrator = FakeOrchestrator()
    rollouts(orchestrator).carry_out(request())
    assert orchestrator.put == [request()]


def test_many_rollouts_wait_for_one_watch_whichever_ends_first() -> None:
    orchestrator = FakeOrchestrator(end=lambda _request, _number: None)
    subject = rollouts(orchestrator)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(subject.carry_out, request(f"s{number}")) for number in range(20)]
        orchestrator.wait_until(lambda: len(orchestrator.put) == 20)
        for number in range(20, 0, -1):
            orchestrator.finish(ended(orchestrator.put[number - 1], number))
        for each in waiting:
            each.result(timeout=10)
    assert orchestrator.most_watching == 1


def test_failed_rollout_says_why_with_the_last_lines_of_its_instance() -> None:
    orchestrator = FakeOrchestrator(
        end=lambda given, number: ended(given, number, "failed", detail="hello-1 exited with 1", logs=("a", "b"))
    )
    with pytest.raises(RolloutError) as raised:
        rollouts(orchestrator).carry_out(request())
    assert str(raised.value) == "hello-1 exited with 1\n  | a\n  | b"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("failed", "rollout of default/hello failed"),
        ("superseded", "a newer rollout of default/hello took its place"),
    ],
)
def test_rollout_that_did_not_come_to_be_is_told_even_without_a_reason(outcome: str, said: str) -> None:
    orchestrator = FakeOrchestrator(end=lambda given, number: ended(given, number, outcome))
    with pytest.raises(RolloutError, match=f"^{said}$"):
        rollouts(orchestrator).carry_out(request())


def test_service_is_put_again_to_an_orchestrator_that_has_started_anew_and_forgotten_it() -> None:
    orchestrator = FakeOrchestrator(end=lambda given, number: ended(given, number) if number != 1 else None)
    subject = rollouts(orchestrator)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(subject.carry_out, request())
        orchestrator.wait_until(lambda: bool(orchestrator.put))
        subject.carry_out(request("other"))
        orchestrator.wait_until(lambda: orchestrator.asked == [0, 1])
        orchestrator.restart()
        waiting.result(timeout=10)
    assert [each.route.service for each in orchestrator.put] == ["hello", "other", "hello"]
    # From the beginning: the new one's numbers have nothing to do with the old one's.
    assert orchestrator.asked[:3] == [0, 1, 0]


def test_orchestrator_that_cannot_be_watched_fails_who_waits_with_its_reason() -> None:
    orchestrator = FakeOrchestrator(end=lambda _request, _number: None)
    accepted = orchestrator.put_service(request())
    orchestrator.failure = HostError("reach the orchestrator: gone")
    orchestrator.put_service = lambda request: accepted  # type: ignore[method-assign]
    with pytest.raises(HostError, match=r"^reach the orchestrator: gone$"):
        rollouts(orchestrator).carry_out(request())


def test_next_rollout_after_a_watch_that_failed_has_a_new_one() -> None:
    orchestrator = FakeOrchestrator(end=lambda _request, _number: None)
    accepted = orchestrator.put_service(request())
    put, orchestrator.failure = orchestrator.put_service, HostError("gone")
    orchestrator.put_service = lambda request: accepted  # type: ignore[method-assign]
    subject = rollouts(orchestrator)
    with pytest.raises(HostError, match="gone"):
        subject.carry_out(request())
    orchestrator.failure, orchestrator.put_service = None, put  # type: ignore[method-assign]
    orchestrator.end = lambda given, number: ended(given, number)
    subject.carry_out(request())


def test_rollout_that_nobody_ends_is_given_up_some_time_after_its_deadline() -> None:
    times = iter([0.0, 200.0])
    orchestrator = FakeOrchestrator(end=lambda _request, _number: None)
    subject = Rollouts("dev", orchestrator.lend, orchestrator.lend, clock=lambda: next(times))
    with pytest.raises(HostError, match="has not said how the rollout ended"):
        subject.carry_out(request())


def test_cancelled_update_waits_for_nothing_more() -> None:
    orchestrator = FakeOrchestrator(end=lambda _request, _number: None)
    subject = rollouts(orchestrator)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(subject.carry_out, request())
        subject.cancel()
        with pytest.raises(RolloutError, match=r"^the update was cancelled"):
            waiting.result(timeout=10)

"""Ejection, the breaker and the retry budget: what the gateway does about instances that fail."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.harness.ports import free_ports
from tests.harness.waiting import PATIENCE_S, SLACK_S, until, wait_until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import CLOCK_S, Gateway, assert_lasted, settled

REVISION = 'tenant="default",service="hello",revision="hello-1"'


def metric(gateway: Gateway, name: str) -> float:
    """Read one metric of the revision hello-1; 0 if it was never counted."""
    text = gateway.admin("GET", "/metrics").body.decode()
    found = re.search(rf"^runyard_gateway_{name}\{{{REVISION}\}} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0


class Silence:
    """A listener that takes connections and never says anything, as a stopped process does."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]

    def asked(self) -> list[bytes]:
        """Give the first bytes of everything that was sent here so far."""
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                client, _ = self.socket.accept()
                client.settimeout(0.2)
                found.append(client.recv(65536))
                client.close()
        except BlockingIOError:
            return found


@pytest.fixture
def silence() -> Iterator[Silence]:
    made = Silence()
    yield made
    made.socket.close()


def statuses(gateway: Gateway, count: int, path: str = "/") -> Counter[int]:
    with gateway.connect() as connection:
        found: Counter[int] = Counter()
        for _ in range(count):
            connection.request("GET", path, headers={"Host": "hello.localhost"})
            response = connection.getresponse()
            response.read()
            found[response.status] += 1
        return found


def failing(make_instance: MakeInstance, count: int) -> list[Instance]:
    """Start instances that answer 500 to everything until told otherwise."""
    made = [make_instance(f"bad-{number}") for number in range(count)]
    for each in made:
        each.status = 500
    return made


def test_instance_that_answers_500_is_ejected_after_five_in_a_row(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    [bad], good = failing(make_instance, 1), make_instance("good")
    gateway.serve(bad.port, good.port)
    began = time.monotonic()
    found = statuses(gateway, 200)
    # Five by the rule; and the one try that it has when its second is over, should this take so long.
    assert 5 <= found[500] <= 5 + (time.monotonic() - began)
    assert found[500] + found[200] == 200
    # Each failed try ejects it again.
    assert (metric(gateway, "ejections_total"), metric(gateway, "ejected_instances")) == (found[500] - 4, 1)


def test_answer_in_between_begins_the_count_anew(gateway: Gateway, make_instance: MakeInstance) -> None:
    instances = [make_instance(), make_instance()]
    gateway.serve(*(each.port for each in instances))
    for _ in range(10):
        assert statuses(gateway, 4, "/status=503") == {503: 4}
        before = [len(each.seen) for each in instances]

        def both_answered(before: list[int] = before) -> bool:
            assert statuses(gateway, 2) == {200: 2}
            return all(len(each.seen) > count for each, count in zip(instances, before, strict=True))

        until(both_answered, "both have answered well")
        # A worker that is held up counts an answer later than its client has it.
        settled(gateway)
    assert metric(gateway, "ejections_total") == 0


@pytest.mark.parametrize(("count", "most"), [(1, 0), (2, 1), (3, 1), (5, 2)])
def test_at_most_half_of_the_instances_are_ejected(
    gateway: Gateway, make_instance: MakeInstance, count: int, most: int
) -> None:
    gateway.serve(*(each.port for each in failing(make_instance, count)))
    assert statuses(gateway, 60) == {500: 60}
    assert metric(gateway, "ejected_instances") == most
    # What answers is not down, whatever it answers.
    assert metric(gateway, "breaker_state") == 0


def test_ejected_instance_gets_one_request_and_is_back_or_out_for_twice_as_long(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    [bad], good = failing(make_instance, 1), make_instance("good")
    gateway.serve(bad.port, good.port)
    statuses(gateway, 50)
    until(lambda: metric(gateway, "ejected_instances") == 1, "it is ejected")
    seen = len(bad.seen)
    began = time.monotonic()
    until(lambda: statuses(gateway, 5)[500] == 1, "its one try has failed")
    assert len(bad.seen) == seen + 1
    again = time.monotonic()
    bad.status = 200
    until(lambda: bool(statuses(gateway, 5)) and len(bad.seen) > seen + 1, "it has another try")
    assert again - began > 0.5
    assert time.monotonic() - again > 1.9
    until(lambda: metric(gateway, "ejected_instances") == 0, "it is back")
    before = len(bad.seen)
    statuses(gateway, 40)
    assert len(bad.seen) - before > 8


def well(gateway: Gateway, instances: list[Instance]) -> None:
    """Have the instances answer so often that a failure of one of them is no chance any more."""
    gateway.serve(*(each.port for each in instances))
    assert statuses(gateway, 1800) == {200: 1800}


def test_two_errors_in_a_row_eject_where_the_others_answer_well(
    start_gateway: MakeGateway, make_instance: MakeInstance
) -> None:
    # One, because each worker judges by what it has seen itself.
    gateway, instances = start_gateway(workers=1), [make_instance(name) for name in "abc"]
    well(gateway, instances)
    instances[0].status = 500
    found = statuses(gateway, 100)
    assert (found[500], metric(gateway, "ejected_instances")) == (2, 1)
    # It is left running, so it is tried late: not after the second that one has that cannot be reached.
    wait_until(time.monotonic() + 1.5)
    assert statuses(gateway, 50) == {200: 50}


def test_errors_of_all_instances_eject_none_before_five(
    start_gateway: MakeGateway, make_instance: MakeInstance
) -> None:
    gateway, instances = start_gateway(workers=1), [make_instance(name) for name in "abcd"]
    well(gateway, instances)
    for each in instances:
        each.status = 500
    seen = [len(each.seen) for each in instances]

    def failures() -> list[int]:
        return [len(each.seen) - before for each, before in zip(instances, seen, strict=True)]

    until(lambda: statuses(gateway, 1) == {500: 1} and sum(count > 0 for count in failures()) >= 2, "two fail")
    early = metric(gateway, "ejections_total")
    # Only one that failed twice before any other failed at all can have been taken for the only one.
    assert early <= 1
    until(lambda: statuses(gateway, 1) == {500: 1} and metric(gateway, "ejections_total") > early, "one is ejected")
    assert max(failures()) >= 5


def test_request_that_an_instance_hangs_is_answered_by_another_in_time(
    start_gateway: MakeGateway, make_instance: MakeInstance, silence: Silence, in_background: Any
) -> None:
    gateway, good = start_gateway(workers=1), make_instance("good")
    gateway.serve(silence.port, good.port, timeout_s=4)
    found: Counter[tuple[str, int]] = Counter()
    asked: Counter[str] = Counter()
    sent = 0
    # Chance says who is asked first, and then the busy one is passed over: now and then no GET comes to it at all.
    while not asked["GET"] and sent < 32:
        answers = [in_background(gateway.request, method, body=b"x") for method in ("GET", "POST") * 8]
        found.update((method, each.result().status) for method, each in zip(("GET", "POST") * 8, answers, strict=True))
        asked = Counter(each.split(b" ")[0].decode() for each in silence.asked())
        sent += 8
    assert asked["GET"] > 0
    assert found[("GET", 200)] == sent
    # What may not be sent twice was not.
    assert found[("POST", 200)] == sent - asked["POST"]
    assert found[("POST", 504)] == asked["POST"] == sent - good.seen.count(("POST", "/"))
    assert metric(gateway, "retries_total") == asked["GET"]
    settled(gateway)


def test_request_is_taken_from_an_instance_once(start_gateway: MakeGateway) -> None:
    gateway = start_gateway(workers=1)
    with ExitStack() as held:
        silent = [Silence() for _ in range(4)]
        for each in silent:
            held.enter_context(each.socket)
        # The next one would be ejected, too, with a second and more to go.
        gateway.serve(*(each.port for each in silent), timeout_s=6)
        answer = gateway.request()
        assert (answer.status, answer.kind) == (504, "instance-timeout")
        assert metric(gateway, "ejected_instances") == 2
        asked = [first for each in silent for first in each.asked()]
    assert sum(first.startswith(b"GET") for first in asked) == 2
    settled(gateway)


def test_hung_instance_is_ejected_within_three_seconds(
    gateway: Gateway, make_instance: MakeInstance, silence: Silence
) -> None:
    good = make_instance("good")
    gateway.serve(silence.port, good.port)
    stop, done = threading.Event(), Counter[int]()

    def load() -> None:
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", gateway.edge_port), 0.5) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
                    done[int(client.recv(65536).split()[1])] += 1
            except TimeoutError:
                done[0] += 1

    began = time.monotonic()
    loads = [threading.Thread(target=load) for _ in range(4)]
    for each in loads:
        each.start()
    until(lambda: metric(gateway, "ejected_instances") == 1, "the hung one is ejected")
    ejected_after_s = time.monotonic() - began
    stop.set()
    for each in loads:
        each.join(PATIENCE_S)
    assert ejected_after_s < 3 + SLACK_S
    asked = silence.asked()
    assert any(each.startswith(b"OPTIONS * HTTP/1.1\r\n") for each in asked)
    assert done[200] > 100
    assert metric(gateway, "retries_total") == 0
    assert len(asked) + len(good.seen) <= 1.2 * sum(done.values())


def test_slow_instance_answers_the_ping_and_stays(start_gateway: MakeGateway, make_instance: MakeInstance) -> None:
    # One, because a worker suspects only what owes an answer to itself.
    gateway = start_gateway(workers=1)
    slow = make_instance("slow")
    gateway.serve(slow.port)
    stop = threading.Event()
    # Answers would show that it lives: only requests that wait are sent, the later ones after the time of suspicion.
    delays = (0.0, 1.2, 1.3)
    waiting = [threading.Thread(target=lambda s=s: stop.wait(s) or gateway.request(path="/wait")) for s in delays]
    for each in waiting:
        each.start()
    until(lambda: ("OPTIONS", "*") in slow.seen, "it was pinged")
    slow.release()
    for each in waiting:
        each.join(PATIENCE_S)
    assert metric(gateway, "ejections_total") == 0
    assert metric(gateway, "breaker_state") == 0


def breaker_opens(gateway: Gateway) -> Callable[[], bool]:
    def ask() -> bool:
        answer = gateway.request()
        return (answer.status, answer.kind) == (503, "broken")

    return ask


def test_breaker_opens_when_nothing_can_be_reached_and_closes_when_something_can(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    ports = free_ports(2)
    gateway.serve(*ports)
    began = time.monotonic()
    answers = [threading.Thread(target=gateway.request) for _ in range(5)]
    for each in answers:
        each.start()
    until(breaker_opens(gateway), "requests are refused")
    # Long enough for a killed instance to be replaced, during which requests are held.
    assert_lasted(time.monotonic() - began, 3)
    for each in answers:
        each.join(PATIENCE_S)
    assert metric(gateway, "breaker_state") > 0
    began = time.monotonic()
    answer = gateway.request("POST", body=b"x")
    # It is not held for the three seconds that others were.
    assert time.monotonic() - began < 2.5
    assert (answer.status, answer.kind) == (503, "broken")
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    make_instance("back", port=ports[1])
    until(lambda: gateway.request().status == 200, "the breaker has closed")
    assert metric(gateway, "breaker_state") == 0
    assert metric(gateway, "breaker_opened_total") >= 1


def first_refusal(gateway: Gateway, held: ExitStack) -> None:
    """Send requests, however many have no answer yet, until one is refused."""

    def is_refused() -> bool:
        client = held.enter_context(socket.create_connection(("127.0.0.1", gateway.edge_port), 0.02))
        client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        try:
            return client.recv(12) == b"HTTP/1.1 503"
        except TimeoutError:
            return False

    until(is_refused, "a request is refused")


@pytest.mark.parametrize("count", [1, 2])
def test_breaker_opens_when_all_instances_hang(gateway: Gateway, make_instance: MakeInstance, count: int) -> None:
    with ExitStack() as held:
        silent = [Silence() for _ in range(count)]
        for each in silent:
            held.enter_context(each.socket)
        gateway.serve(*(each.port for each in silent), concurrency=1000)
        began = time.monotonic()
        first_refusal(gateway, held)
        # A second until they are suspected, and three pings of a second. When the next ping had to wait: seven.
        assert 4 - CLOCK_S <= time.monotonic() - began < 6.9
        used_s = gateway.processor_s()
        threading.Event().wait(1)
        # Neither the requests that still wait nor the open breaker have a worker turn.
        assert gateway.processor_s() - used_s < 0.3
        until(lambda: gateway.request().status == 503 and metric(gateway, "breaker_state") == 2, "it is open")
        until(lambda: metric(gateway, "breaker_state") == 1, "it is half-open")
    make_instance(port=silent[0].port)
    until(lambda: gateway.request().status == 200, "the breaker has closed")
    assert metric(gateway, "breaker_state") == 0


def test_new_instance_closes_the_breaker_at_once(gateway: Gateway, make_instance: MakeInstance) -> None:
    gateway.serve(*free_ports(1))
    until(breaker_opens(gateway), "requests are refused")
    gateway.serve(make_instance().port)
    assert gateway.request().status == 200


def test_retries_stay_within_a_fifth_of_the_requests(gateway: Gateway, make_instance: MakeInstance) -> None:
    instances = [make_instance(name) for name in "abcd"]
    gateway.serve(*(each.port for each in instances))
    asked = 1500
    for _ in range(asked // 50):
        statuses(gateway, 50, "/break")
    sent = sum(len(each.seen) for each in instances)
    # The floor of 10 a second over the window of 10 s lets a service with little traffic try again at all.
    assert sent - asked <= 0.2 * asked + 100
    assert metric(gateway, "retries_total") <= 0.2 * asked + 100
    assert metric(gateway, "retries_refused_total") > 0

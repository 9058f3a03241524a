"""What manifests ask of the gateway, on the engine: the cache, session affinity, limits, the queue and the fallback."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.client import Answer
from tests.harness.stack import Stack, new_stack, service
from tests.harness.waiting import until

SESSION = "runyard_session"


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack whose services each ask one thing of the gateway."""
    with new_stack(tmp_path_factory, "edge") as made:
        two = {"autoscaling.knative.dev/minScale": "2"}
        made.write("kept", service("kept", annotations={"runyard.dev/cache": "true"}, template=two))
        # Below a whole CPU an instance takes one request at once, and one that has just answered may not be free yet.
        sticky = {**two, "run.googleapis.com/sessionAffinity": "true"}
        made.write("sticky", service("sticky", template=sticky, limits={"cpu": "1", "memory": "128Mi"}))
        limits = {"runyard.dev/client-requests-per-second": "1", "runyard.dev/client-burst": "3"}
        made.write("limited", service("limited", annotations=limits))
        made.write("narrow", service("narrow", annotations={"runyard.dev/max-concurrent-requests": "2"}))
        queue = {"runyard.dev/queue-size": "1", "runyard.dev/queue-timeout": "20s"}
        single = service("single", annotations=queue, template={"autoscaling.knative.dev/maxScale": "1"})
        single["spec"]["template"]["spec"]["containerConcurrency"] = 1
        made.write("single", single)
        stopped = {"run.googleapis.com/scalingMode": "manual", "run.googleapis.com/manualInstanceCount": "0"}
        made.write("page", service("page", annotations={**stopped, "runyard.dev/fallback": "<h1>back soon</h1>"}))
        made.write("other", service("other", annotations={**stopped, "runyard.dev/fallback": "service:kept"}))
        made.up()
        yield made


def instance(answer: Answer) -> str:
    assert answer.status == 200, answer.text
    return str(answer.json()["instance"])


def purge(stack: Stack, *arguments: str) -> None:
    stack.runyard("purge", *arguments, check=True)


def test_response_is_kept_until_it_is_purged(edge: Stack):
    path = "/?max_age_s=3600"
    first = edge.get("kept.localhost", path)
    for _ in range(10):
        again = edge.get("kept.localhost", path)
        assert (again.headers["Cache-Status"], instance(again)) == ("runyard; hit", instance(first))
    purge(edge, "kept", "/")
    assert edge.get("kept.localhost", path).headers["Cache-Status"] == "runyard; fwd=uri-miss"
    # What does not say so is not kept.
    assert len({instance(edge.get("kept.localhost")) for _ in range(50)}) == 2


def test_client_keeps_the_instance_that_it_met_first(edge: Stack):
    first = edge.get("sticky.localhost")
    found = re.search(rf"{SESSION}=[^;]+", first.headers["Set-Cookie"])
    assert found
    cookie = {"Cookie": found[0]}
    assert {instance(edge.get("sticky.localhost", headers=cookie)) for _ in range(50)} == {instance(first)}
    assert len({instance(edge.get("sticky.localhost")) for _ in range(50)}) == 2


def test_client_that_asks_too_often_is_told_when_to_come_again(edge: Stack):
    answers = [edge.get("limited.localhost") for _ in range(6)]
    refused = [each for each in answers if each.status == 429]
    assert [each.status for each in answers[:3]] == [200] * 3
    assert refused
    assert refused[0].headers["Retry-After"] == "1"
    assert re.fullmatch(r'"client";r=0;t=\d+', refused[0].headers["RateLimit"])
    until(lambda: edge.get("limited.localhost").status == 200, every_s=1)


def statuses(edge: Stack, host: str, count: int) -> Counter[int]:
    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(lambda _: edge.get(host, "/sleep?ms=2000").status, range(count)))


def test_service_takes_as_many_requests_at_once_as_it_says(edge: Stack):
    assert statuses(edge, "narrow.localhost", 6) == {200: 2, 429: 4}
    assert edge.get("narrow.localhost").status == 200


def test_request_beyond_the_only_instance_waits_and_the_next_one_is_refused(edge: Stack):
    assert statuses(edge, "single.localhost", 4) == {200: 2, 429: 2}


def test_page_or_service_answers_for_a_service_that_is_stopped(edge: Stack):
    page = edge.get("page.localhost")
    assert (page.status, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert page.text == "<h1>back soon</h1>"
    assert edge.get("other.localhost").json()["service"] == "kept"


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_text_is_compressed_as_the_client_takes_it(edge: Stack, coding: str):
    text = "all work and no play " * 100
    sent = {"Accept-Encoding": coding, "Content-Type": "text/plain"}
    answer = subprocess.run(
        ["curl", "--silent", "--compressed", "--include", "--data-binary", text]
        + [part for name, value in sent.items() for part in ("--header", f"{name}: {value}")]
        + [f"http://kept.localhost:{edge.port}/echo"],
        capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    head, _, body = answer.partition("\n\n")
    assert f"content-encoding: {coding}" in head.lower()
    assert body == text


def test_nothing_of_it_is_a_change_afterwards(edge: Stack):
    edge.expect_no_changes()

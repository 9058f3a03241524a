"""What the apply benchmark gives its contenders, and how it notices a service that does not answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import contenders
from tests.bench.contenders import Page


def test_both_contenders_get_the_same_services_and_limits() -> None:
    services = contenders.compose_file(3)["services"]
    assert isinstance(services, dict)
    assert list(services) == ["gateway", "bench-001", "bench-002", "bench-003"]
    manifest = str(contenders.service_manifest("bench-001"))
    assert services["bench-001"]["image"] in manifest
    assert contenders.MEMORY in manifest
    assert services["bench-001"]["mem_limit"] == 128 * 1024 * 1024


def test_change_touches_as_many_services_as_it_says() -> None:
    before, after = (contenders.compose_file(3, changed, 1)["services"] for changed in (0, 1))
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert [name for name in before if before[name] != after[name]] == ["bench-001"]
    assert contenders.service_manifest("a", 1) != contenders.service_manifest("a", 2)


def test_runyards_manifests_say_the_generation_of_each_service(tmp_path: Path) -> None:
    contender = contenders.Runyard(tmp_path, 2)
    contender.change(1)
    text = (contender.manifests / "bench.yaml").read_text()
    assert text.count("value: '1'") == 1
    assert text.count("value: '0'") == 1


def test_expect_answers_names_every_service_that_failed() -> None:
    contenders.expect_answers({"a": Page(200)})
    with pytest.raises(RuntimeError) as failure:
        contenders.expect_answers({"a": Page(200), "b": Page(503), "c": Page(0)})
    assert str(failure.value) == "must answer 200: {'b': 503, 'c': 0}"


def test_await_page_asks_until_an_answer_suits() -> None:
    pages = iter([Page(0), Page(200, "a"), Page(200, "b")])
    contenders.await_page(lambda: next(pages), lambda page: page.generation == "b")
    assert list(pages) == []


def test_run_keeps_the_output_and_shows_its_end_on_failure(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert contenders.run([sys.executable, "-c", "print('fine')"], log) == "fine\n"
    with pytest.raises(RuntimeError, match="ended with 3\nbroken"):
        contenders.run([sys.executable, "-c", "print('broken'); raise SystemExit(3)"], log)
    assert "fine" in log.read_text()
    assert "broken" in log.read_text()


def test_ask_answers_zero_where_nobody_listens() -> None:
    assert contenders.ask("127.0.0.1", 1, "hello.localhost") == Page(0)

"""Failures: what manifests may say of retries and breakers, and how it reaches the gateway's route."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.contracts import Breaker, Retries
from runyard.manifest.failures import MOST_ATTEMPTS, parse_breaker, parse_retries
from runyard.plan import plan
from tests.unit.runyard.plan.example import manifests, service


@pytest.mark.parametrize(
    ("text", "retries"),
    [
        ("attempts=0", Retries(0)),
        ("attempts=7", Retries(7)),
        # The longest wait is ten times the first, as Envoy has it, and ten seconds at most.
        ("attempts=3,backoff=25ms", Retries(3, 25, 250)),
        ("attempts=3,backoff=2s", Retries(3, 2000, 10_000)),
        (" backoff = 10ms..1s , attempts = 2 ", Retries(2, 10, 1000)),
        ("attempts=2,backoff=1s..1s", Retries(2, 1000, 1000)),
    ],
)
def test_retries_are_read_with_their_times(text: str, retries: Retries) -> None:
    assert parse_retries(text) == retries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", 'must be NAME=VALUE of attempts, backoff, got "3"'),
        ("attempts=3,,", 'must be NAME=VALUE of attempts, backoff, got ""'),
        ("attempts=3,timeout=1s", 'must be NAME=VALUE of attempts, backoff, got "timeout=1s"'),
        ("attempts=3,attempts=4", "must say each setting once, got attempts twice"),
        ("backoff=1s", 'must have attempts=NUMBER, got "backoff=1s"'),
        ("attempts=8", 'attempts: must be 0 to 7, got "8"'),
        ("attempts=-1", 'attempts: must be 0 to 7, got "-1"'),
        ("attempts=many", 'attempts: must be 0 to 7, got "many"'),
        ("attempts=1,backoff=0ms", 'backoff: must be TIME or TIME..TIME from 1ms to 10s, got "0ms"'),
        ("attempts=1,backoff=11s", 'backoff: must be TIME or TIME..TIME from 1ms to 10s, got "11s"'),
        ("attempts=1,backoff=1m", 'backoff: must be TIME or TIME..TIME from 1ms to 10s, got "1m"'),
        ("attempts=1,backoff=2s..1s", 'backoff: must be TIME or TIME..TIME from 1ms to 10s, got "2s..1s"'),
        ("attempts=1,backoff=1s..2s..3s", 'backoff: must be TIME or TIME..TIME from 1ms to 10s, got "1s..2s..3s"'),
    ],
)
def test_retries_that_are_none_say_which_rule_they_break(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        parse_retries(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "breaker"),
    [
        ("off", Breaker(failures=0)),
        ("failures=10", Breaker(10)),
        ("patience=5s", Breaker(patience_s=5)),
        ("open=2s", Breaker(open_s=2)),
        # Never shorter than the first time.
        ("open=60s", Breaker(open_s=60, open_most_s=60)),
        ("failures=1,patience=1s,open=5s..300s", Breaker(1, 1, 5, 300)),
        ("patience=2000ms", Breaker(patience_s=2)),
    ],
)
def test_breaker_is_read_over_its_defaults(text: str, breaker: Breaker) -> None:
    assert parse_breaker(text) == breaker


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("on", 'must be NAME=VALUE of failures, patience, open, got "on"'),
        ("off,failures=3", 'must be NAME=VALUE of failures, patience, open, got "off"'),
        ("failures=0", 'failures: must be 1 to 1000, got "0"'),
        ("patience=1s..2s", 'patience: must be TIME from 1s to 60s, got "1s..2s"'),
        ("patience=1500ms", 'patience: must be TIME from 1s to 60s, got "1500ms"'),
        ("open=301s", 'open: must be TIME or TIME..TIME from 1s to 300s, got "301s"'),
    ],
)
def test_breaker_that_is_none_says_which_rule_it_breaks(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        parse_breaker(text)
    assert str(caught.value) == message


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    for parse in (parse_retries, parse_breaker):
        found = None
        with contextlib.suppress(ValueError):
            found = parse(text)
        assert not isinstance(found, Retries) or found.attempts <= MOST_ATTEMPTS


def test_what_a_manifest_says_is_a_fact_of_the_route_and_makes_no_revision() -> None:
    usual = plan(manifests(service())).services[0]
    assert (usual.route.retries, usual.route.breaker) == (Retries(), Breaker())
    retries, breaker = parse_retries("attempts=2,backoff=10ms"), parse_breaker("off")
    changed = plan(manifests(dataclasses.replace(service(), retries=retries, breaker=breaker))).services[0]
    assert (changed.route.retries, changed.route.breaker) == (retries, breaker)
    assert changed.revision == usual.revision
    assert changed.facts["retries"] == {"attempts": 2, "backoffMs": 10, "backoffMostMs": 100}


def test_defaults_of_a_breaker_are_what_it_says_when_all_of_them_are_said() -> None:
    default = Breaker()
    said = f"failures={default.failures},patience={default.patience_s}s"
    said += f",open={default.open_s}s..{default.open_most_s}s"
    assert parse_breaker(said) == default
    # What is said in thousandths is the same.
    assert parse_breaker(f"open={1000 * default.open_s}ms..{1000 * default.open_most_s}ms") == default


@pytest.mark.parametrize("attempts", range(MOST_ATTEMPTS + 1))
def test_longest_wait_is_never_below_the_first(attempts: int) -> None:
    for backoff in ("1ms", "999ms", "1s", "10s", "5s..5s"):
        found = parse_retries(f"attempts={attempts},backoff={backoff}")
        assert 0 < found.backoff_ms <= found.backoff_most_ms <= 10_000

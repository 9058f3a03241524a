"""Decision: every reason has its words, and its data leaves out what was not measured."""

from __future__ import annotations

import pytest

from runyard.scaling.counts import Span
from runyard.scaling.decision import Decision, Inputs, Why

INPUTS = Inputs(
    requests=30, waiting=4, signal="cpu", value=2250.0, target=700.0, need=3.214, over_s=6, peak=3.5, wanted=3,
    unknown="memory", coverage=0.25, silent_s=4.25, idle_s=12.4,
)  # fmt: skip
WORDS = {
    Why.FIXED: "its number is given: 3",
    Why.STALE: "its load was last told 4.2 s ago: it keeps 3",
    Why.UNKNOWN: "its memory was not told: it keeps 3",
    Why.UNCOVERED: "only 25 % of its window was told: it keeps 3",
    Why.WOKEN: "a request waits for it: it starts 3",
    Why.MORE: "2.25 cores (4 waiting) over 6 s at 0.7 each need 3.21 instances",
    Why.FEWER: "at most 3.50 instances were needed within the window",
    Why.STEADY: "at most 3.50 instances were needed within the window, which 3 carry",
    Why.HELD: "at most 3.50 instances were needed: a few of 3 are removed after five windows",
    Why.HALVING: "at most 3.50 instances were needed: at most half are removed every two seconds",
    Why.RETAINED: "idle for 12 s: the last instance is kept for a while",
    Why.LEAST: "3 would do, at least 2 are asked for",
    Why.MOST: "2.25 cores (4 waiting) over 6 s at 0.7 each need 3.21 instances, at most 9 are allowed",
    Why.SHARE: (
        "2.25 cores (4 waiting) over 6 s at 0.7 each need 3.21 instances, 9 are its share while the host is full"
    ),
}


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_its_words(why: Why) -> None:
    decision = Decision(3, 3, why, INPUTS, Span(2, 9))
    assert decision.reason == WORDS[why]
    assert decision.hold == (why in (Why.STALE, Why.UNKNOWN, Why.UNCOVERED))


def test_numbers_are_what_was_measured_alone() -> None:
    inputs = Inputs(requests=3, signal="rps", value=3.0, target=2.0, need=1.5, over_s=2)
    decision = Decision(2, 1, Why.MORE, inputs)
    assert decision.reason == "3 requests a second over 2 s at 2 each need 1.50 instances"
    assert decision.numbers == {
        **{"requests": 3, "waiting": 0, "ready": 0, "lately": False, "value": 3.0, "target": 2.0, "need": 1.5},
        **{"beyond": 0.0, "rise": 0.0, "trend": 0.0, "over_s": 2, "wanted": 0},
    }


def test_no_signal_is_said_to_be_none() -> None:
    assert Decision(0, 0, Why.MORE).reason == "no signal"

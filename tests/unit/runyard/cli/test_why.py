"""What `why` renders of a service, and how a restart is told, without anybody to ask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runyard.cli.live import Target
from runyard.cli.restart import describe as describe_restart
from runyard.cli.restart import render_text as render_restart
from runyard.cli.why import describe, last_of_each, render_text
from runyard.contracts import Override, Restriction, RevisionStatus, ScalingDecision, ScheduleStatus, ServiceStatus

WEB = ServiceStatus("shop", "web", (), (), ())
ONE = RevisionStatus("shop", "web", "web-1", desired=1, ready=1)
MADE = ScalingDecision("shop", "web", "web-1", 1, 0.0, 0, 1, "manifest", "its manifest asks for at least 1")


def text(*decisions: ScalingDecision, revisions: tuple[RevisionStatus, ...] = (ONE,), **fields: Any) -> list[str]:
    return render_text(WEB, fields.get("override"), revisions, decisions).splitlines()


def test_decision_is_a_line_with_its_time_counts_and_reason() -> None:
    assert text(MADE) == [
        "shop/web",
        "  web-1: 1 instance wanted, 1 ready",
        "    1970-01-01 00:00:00Z  0 -> 1: its manifest asks for at least 1",
    ]


def test_number_by_hand_stands_beside_the_service() -> None:
    assert (
        text(override=Override("shop", "web", 0, 60))[0] == "shop/web: 0 instances by hand until 1970-01-01 00:01:00Z"
    )


@pytest.mark.parametrize(
    ("ready", "reason", "line"),
    [
        (1, "", "1 instance wanted, 1 ready"),
        (0, "", "1 instance wanted, 0 ready"),
        (0, "it has no document", "1 instance wanted, 0 ready; last failure: it has no document"),
    ],
)
def test_revision_says_what_it_should_have_has_and_why_it_failed(ready: int, reason: str, line: str) -> None:
    assert text(revisions=(replace(ONE, ready=ready, reason=reason),))[1] == f"  web-1: {line}"


def test_revision_that_sleeps_is_told_as_asleep() -> None:
    assert text(revisions=(replace(ONE, desired=0, ready=0, asleep=True),))[1] == "  web-1: asleep, a request wakes it"


def test_revision_that_is_gone_is_told_as_long_as_its_decisions_are() -> None:
    gone = replace(MADE, revision="web-0", before=1, count=0, reason="no traffic names it")
    assert text(gone, revisions=()) == [
        "shop/web",
        "  web-0: none wanted, none ready",
        "    1970-01-01 00:00:00Z  1 -> 0: no traffic names it",
    ]


def test_data_has_decisions_with_their_numbers() -> None:
    told = describe(WEB, None, (ONE,), (replace(MADE, inputs={"least": 1.0}),))
    assert (told["service"], told["override"], told["revisions"][0]["ready"]) == ("web", None, 1)
    assert (told["decisions"][0]["number"], told["decisions"][0]["inputs"]) == (1, {"least": 1.0})


def test_no_decisions_are_none_of_each() -> None:
    assert last_of_each((), 3) == []


@pytest.mark.parametrize(
    ("gone", "line"),
    [
        ((), "shop/web: nothing runs, so nothing was restarted"),
        (("a",), "shop/web: 1 instance restarted after 2.0 s"),
        (("a", "b"), "shop/web: 2 instances restarted after 2.0 s"),
    ],
)
def test_restart_says_how_many_it_replaced(gone: tuple[str, ...], line: str) -> None:
    assert render_restart(Target("shop", "web", "dev"), gone, 2.04) == line
    told = {"tenant": "shop", "service": "web", "restarted": list(gone), "tookSeconds": 2.04}
    assert describe_restart(Target("shop", "web", "dev"), gone, 2.04) == told


def test_restriction_says_how_many_until_when_and_for_which_reason() -> None:
    restricted = replace(WEB, restriction=Restriction("shop", 0, 60, "actual cost came to 100 % of its budget"))
    assert render_text(restricted, None, (ONE,), ()).splitlines()[1] == (
        "  at most 0 instances by budget until 1970-01-01 00:01:00Z: actual cost came to 100 % of its budget"
    )
    assert describe(restricted, None, (ONE,), ())["restriction"]["most"] == 0


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        (ScheduleStatus(0, 0, 60, 2), "at least 0 instances by schedule, at least 2 from 1970-01-01 00:01:00Z"),
        (ScheduleStatus(1, 60), "at least 1 instance by schedule since 1970-01-01 00:01:00Z"),
    ],
)
def test_schedule_says_what_it_asks_for_now_and_next(schedule: ScheduleStatus, line: str) -> None:
    scheduled = replace(WEB, schedule=schedule)
    assert render_text(scheduled, None, (ONE,), ()).splitlines()[:2] == ["shop/web", f"  {line}"]
    assert describe(scheduled, None, (ONE,), ())["schedule"]["instances"] == schedule.instances

import dataclasses

import pytest

from runyard.cli.rollback import describe, find_service, render_text, revision_before
from runyard.contracts import OrchestratorStatus, ServiceStatus, ShiftStatus, TrafficShare
from runyard.errors import NotFound

HISTORY = ("web-3", "web-2", "web-1")


def service(*traffic, history=HISTORY):
    return ServiceStatus("shop", "web", ("web.shop.localhost",), (), traffic, history=history)


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        ([TrafficShare("web-3", 100)], "web-2"),
        # Asked again, it goes further back.
        ([TrafficShare("web-2", 100)], "web-1"),
        ([TrafficShare("web-3", 10), TrafficShare("web-2", 90)], "web-2"),
        # A tag alone is no traffic.
        ([TrafficShare("web-3", 100), TrafficShare("web-2", 0, "old")], "web-2"),
    ],
)
def test_revision_before_is_the_next_older_than_the_newest_that_has_a_share(traffic, expected):
    assert revision_before(service(*traffic)) == expected


def test_revision_before_traffic_on_its_way_is_the_one_before_where_it_goes():
    moving = service(TrafficShare("web-3", 10), TrafficShare("web-2", 90))
    assert revision_before(moving) == "web-2"
    shift = ShiftStatus((TrafficShare("web-2", 100),), remaining_s=60)
    assert revision_before(dataclasses.replace(moving, shift=shift)) == "web-1"


@pytest.mark.parametrize("history", [HISTORY, ()])
def test_revision_before_the_first_is_none(history):
    with pytest.raises(NotFound) as raised:
        revision_before(service(TrafficShare("web-1", 100), history=history if history else ("web-1",)))
    assert str(raised.value) == "rollback shop/web: no revision is kept from before web-1"


def test_unknown_service_is_told_with_those_that_there_are():
    status = OrchestratorStatus(1, True, (service(),))
    assert find_service(status, "shop", "web") == service()
    with pytest.raises(NotFound) as raised:
        find_service(status, "default", "web")
    assert str(raised.value) == "rollback default/web: must be a service of the stack (shop/web)"


BEFORE = service(TrafficShare("web-3", 100), TrafficShare("web-1", 0, "old"))
AFTER = service(TrafficShare("web-2", 100), TrafficShare("web-1", 0, "old"))


def test_text_says_what_was_done_and_how_to_keep_it():
    assert render_text(BEFORE, AFTER, 0.4211) == (
        "shop/web: 100% web-2, 0% web-1 (old) after 0.42 s, before: 100% web-3, 0% web-1 (old)\n"
        "The next update puts the manifest's traffic in force again; to keep this, say in the Service's spec:\n"
        "  traffic:\n"
        "  - {revisionName: web-2, percent: 100}\n"
        "  - {revisionName: web-1, tag: old}"
    )


def test_data_has_the_traffic_before_and_after_and_the_time_between():
    found = describe(BEFORE, AFTER, 0.4211)
    assert found["tookSeconds"] == 0.421
    assert (found["tenant"], found["service"]) == ("shop", "web")
    assert [each["revision"] for each in found["before"]] == ["web-3", "web-1"]
    assert found["after"][0] == {"revision": "web-2", "percent": 100, "tag": ""}

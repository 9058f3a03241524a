from __future__ import annotations

import pytest

from runyard.contracts import Probe
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.startup import DEFAULT_STARTUP, start_allowed_s, startup_probe

from ..world import container, document

QUICK = Probe(kind="tcp", period_s=2, timeout_s=1, failure_threshold=5, initial_delay_s=3)


def test_container_that_takes_requests_has_a_startup_probe_in_any_case_and_others_their_own_alone() -> None:
    app, side = container(), container("side")
    revision = Revision(document("hello-1", app, side))
    assert startup_probe(revision, app) == DEFAULT_STARTUP
    assert startup_probe(revision, side) is None


@pytest.mark.parametrize(
    ("probe", "seconds"),
    [
        (None, 240),
        (QUICK, 13),
        (Probe(kind="tcp", period_s=0, failure_threshold=3), 30),
        (Probe(kind="tcp", period_s=3600, failure_threshold=100), 86_400),
    ],
    ids=["cloud_runs", "its_own", "of_period_zero", "no_more_than_a_day"],
)
def test_start_may_take_what_its_probe_allows(probe: Probe | None, seconds: int) -> None:
    assert start_allowed_s(Revision(document("hello-1", container(startup_probe=probe)))) == seconds


def test_containers_that_start_one_after_the_other_have_the_time_of_all() -> None:
    app = container(startup_probe=QUICK, depends_on=("side",))
    assert start_allowed_s(Revision(document("hello-1", app, container("side", startup_probe=QUICK)))) == 26

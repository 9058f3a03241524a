"""Rules of schedules: what a manifest may ask for by one, beside its other counts."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.manifest.model import Location
from runyard.manifest.problems import Findings
from runyard.manifest.rules_schedule import ANNOTATION, check_schedule

CLOUD_RUN, KNATIVE = "run.googleapis.com/", "autoscaling.knative.dev/"


def told(schedule: Any, service: dict[str, Any] | None = None, template: dict[str, Any] | None = None) -> list[str]:
    given = {
        "metadata": {"annotations": {ANNOTATION: schedule, **(service or {})}},
        "spec": {"template": {"metadata": {"annotations": template or {}}}},
    }
    findings = Findings(lambda *_, **__: Location("given.yaml", 1, 1))
    check_schedule(given, findings)
    return [f"{each.rule}: {each.message}" for each in findings.problems]


@pytest.mark.parametrize("schedule", ["3 at 0 8 * * 1-5; 0 at 0 18 * * 1-5 Europe/Berlin", "0 at 0 0 * * *"])
def test_schedule_that_may_be_had_is_fine(schedule: str) -> None:
    assert told(schedule) == []
    assert told(schedule, {CLOUD_RUN + "maxScale": "3"}, {KNATIVE + "maxScale": "3"}) == []
    # 0 is no limit, and what is no count is the schema's to tell.
    assert told(schedule, {CLOUD_RUN + "maxScale": "0"}, {KNATIVE + "max-scale": "many"}) == []


@pytest.mark.parametrize("schedule", [None, 3, ""])
def test_schedule_that_is_no_text_is_the_schemas_to_tell(schedule: Any) -> None:
    assert told(schedule) == []


@pytest.mark.parametrize(
    ("service", "template", "most"),
    [
        ({CLOUD_RUN + "maxScale": "2"}, {}, "2 (run.googleapis.com/maxScale)"),
        ({}, {KNATIVE + "maxScale": "2"}, "2 (autoscaling.knative.dev/maxScale)"),
        ({CLOUD_RUN + "maxScale": "2"}, {KNATIVE + "max-scale": "1"}, "1 (autoscaling.knative.dev/max-scale)"),
        ({"runyard.dev/volumes": "data=1Gi:/data"}, {}, "1 (runyard.dev/volumes, which has one writer)"),
    ],
)
def test_entry_that_asks_for_more_than_there_may_be_is_named(
    service: dict[str, Any], template: dict[str, Any], most: str
) -> None:
    assert told("1 at 0 8 * * *; 3 at 0 9 * * *", service, template) == [
        f"schedule.most: entry 2: count: must be at most {most}, got 3"
    ]


def test_number_by_hand_leaves_it_without_effect() -> None:
    manual = {CLOUD_RUN + "scalingMode": "manual", CLOUD_RUN + "manualInstanceCount": "2"}
    assert told("3 at 0 8 * * *", manual) == ["schedule.manual: has no effect with scalingMode manual"]

"""What is filled into a Service before it is checked."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.manifest.defaults import fill_defaults
from runyard.manifest.model import Location
from runyard.manifest.problems import Findings


def filled(service: Any) -> tuple[Any, list[str]]:
    findings = Findings(lambda _path, _at_key: Location("a.yaml", 1, 1))
    fill_defaults(service, findings)
    return service, [problem.message for problem in findings.problems]


def names_of(*containers: dict[str, str]) -> list[str | None]:
    service, _ = filled({"spec": {"template": {"spec": {"containers": list(containers)}}}})
    return [each.get("name") for each in service["spec"]["template"]["spec"]["containers"]]


def test_one_container_without_a_name_is_knatives_and_several_are_numbered_around_names_that_are_taken() -> None:
    assert names_of({}) == ["user-container"]
    assert names_of({"name": "app"}) == ["app"]
    assert names_of({}, {}) == ["user-container-0", "user-container-1"]
    assert names_of({}, {"name": "user-container-0"}, {"name": "app"}, {}) == [
        "user-container-1",
        "user-container-0",
        "app",
        "user-container-2",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (True, "true"), (False, "false"), (0.7, "0.7"), ("a", "a"), (None, None), ([], [])]
)
def test_numbers_and_booleans_of_annotations_are_text(value: object, text: object) -> None:
    given = {
        "metadata": {"annotations": {"a": value}},
        "spec": {"template": {"metadata": {"annotations": {"b": value}}}},
    }
    service, told = filled(given)
    assert service["metadata"]["annotations"]["a"] == text
    assert service["spec"]["template"]["metadata"]["annotations"]["b"] == text
    assert told == []


@pytest.mark.parametrize("namespace", ["123", 123])
def test_number_of_a_project_is_no_tenant_and_told(namespace: object) -> None:
    service, told = filled({"metadata": {"namespace": namespace}})
    assert service == {"metadata": {}}
    assert told[0].startswith("the number of a Cloud Run project, read as the default tenant, got ")


@pytest.mark.parametrize("service", [{}, {"metadata": 1, "spec": []}, {"metadata": {"namespace": True}}])
def test_what_is_of_the_wrong_shape_is_left_to_the_schema(service: Any) -> None:
    before = repr(service)
    assert (repr(filled(service)[0]), filled(service)[1]) == (before, [])


def test_generated_name_is_the_same_each_time_and_another_for_another_tenant() -> None:
    def named(**metadata: str) -> str:
        service, told = filled({"metadata": {"generateName": "shop-", **metadata}})
        assert len(told) == (0 if "name" in metadata else 1)
        return str(service["metadata"]["name"])

    first = named()
    assert first == named() == named(namespace="default")
    assert len(first) == len("shop-") + 5
    assert named(namespace="other") != first
    assert named(name="mine") == "mine"

"""Grafana's files, read back: every panel with its queries, its unit and its place, and what provisions them."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
import yaml

from runyard.dashboards import DASHBOARDS, SERVICE, Dashboard, Query
from runyard.grafana import DASHBOARDS_MOUNT, render_dashboard, render_files
from tests.unit import checkout

SOURCE = {"type": "prometheus", "uid": "runyard"}
FILES = render_files(DASHBOARDS, "http://prometheus:9090")


def read(dashboard: Dashboard) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render_dashboard(dashboard))
    return found


def test_files_are_a_source_a_provider_and_every_dashboard() -> None:
    assert [*FILES] == [
        "provisioning/datasources/runyard.yaml",
        "provisioning/dashboards/runyard.yaml",
        *(f"dashboards/runyard-{each.id}.json" for each in DASHBOARDS),
    ]
    assert render_files(DASHBOARDS, "http://prometheus:9090") == FILES


def test_source_leads_to_prometheus_by_the_name_that_panels_ask_for() -> None:
    (source,) = yaml.safe_load(FILES["provisioning/datasources/runyard.yaml"])["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == SOURCE
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"] == {"timeInterval": "15s"}


def test_provider_finds_the_dashboards_where_the_guide_mounts_them() -> None:
    (provider,) = yaml.safe_load(FILES["provisioning/dashboards/runyard.yaml"])["providers"]
    assert (provider["type"], provider["options"]["path"]) == ("file", DASHBOARDS_MOUNT)
    assert f"grafana/dashboards:{DASHBOARDS_MOUNT}:ro" in checkout.text(checkout.ROOT / "docs/guides/grafana.md")


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.id)
def test_every_panel_is_there_with_its_queries_of_what_is_chosen(dashboard: Dashboard) -> None:
    found = read(dashboard)
    chosen = {label: f"${label}" for label in dashboard.scope}
    assert (found["uid"], found["title"]) == (f"runyard-{dashboard.id}", f"Runyard: {dashboard.title}")
    assert [each["title"] for each in found["panels"]] == [each.title for each in dashboard.panels]
    for shown, panel in zip(found["panels"], dashboard.panels, strict=True):
        assert [each["expr"] for each in shown["targets"]] == [each.ask(chosen) for each in panel.queries]
        assert shown["datasource"] == SOURCE
        assert shown["options"]["legend"]["showLegend"]
        assert len({each["refId"] for each in shown["targets"]}) == len(panel.queries)
        stacked = shown["fieldConfig"]["defaults"]["custom"].get("stacking", {}).get("mode")
        assert stacked == ("normal" if panel.kind == "stack" else None)
        assert shown["fieldConfig"]["defaults"]["unit"]


def test_legends_are_in_grafanas_words() -> None:
    legends = {target["legendFormat"] for panel in read(SERVICE)["panels"] for target in panel["targets"]}
    assert {"{{code}}", "{{revision}}", "p95", "budget"} <= legends


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.id)
def test_panels_do_not_lie_on_each_other(dashboard: Dashboard) -> None:
    places = [each["gridPos"] for each in read(dashboard)["panels"]]
    assert all(each["x"] + each["w"] <= 24 for each in places)
    for one, other in itertools.combinations(places, 2):
        apart = [
            one[at] + one[size] <= other[at] or other[at] + other[size] <= one[at]
            for at, size in (("x", "w"), ("y", "h"))
        ]
        assert any(apart)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.id)
def test_labels_of_a_scope_are_chosen_in_order_each_among_those_that_the_others_leave(dashboard: Dashboard) -> None:
    variables = read(dashboard).get("templating", {}).get("list", [])
    assert [each["name"] for each in variables] == [*dashboard.scope]
    for at, each in enumerate(variables):
        assert re.findall(r"\$(\w+)", each["query"]) == [*dashboard.scope[:at]]
        assert each["query"].endswith(f", {each['name']})")


def test_new_revisions_are_marked_on_dashboards_of_a_service() -> None:
    (mark,) = read(SERVICE)["annotations"]["list"]
    assert mark["enable"]
    assert mark["expr"].count('{tenant="$tenant",service="$service"}') == 2
    assert mark["titleFormat"] == "{{revision}}"


def test_names_of_grafanas_variables_stay_as_they_are_in_a_query() -> None:
    assert Query("up{$scope}", "up").ask({"tenant": "$tenant"}) == 'up{tenant="$tenant"}'

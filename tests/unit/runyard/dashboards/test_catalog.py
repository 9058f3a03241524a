"""The list of dashboards: told apart, complete, and made of what is recorded. Its queries run in tests/e2e."""

from __future__ import annotations

import re

import pytest
import yaml

from runyard.dashboards import DASHBOARDS, Dashboard, Panel, Query
from runyard.prometheus import render_alerts, render_rules

PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels]
QUERIES = [
    pytest.param(dashboard, query, id=f"{dashboard.id}-{panel.id}-{query.legend}")
    for dashboard, panel in PANELS
    for query in panel.queries
]


def recorded() -> set[str]:
    groups = [*yaml.safe_load(render_rules())["groups"], *yaml.safe_load(render_alerts())["groups"]]
    found = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    # What a tenant may use is in the rules of stacks that have such tenants.
    return found | {"tenant:runyard_quota:limit"}


def test_what_issue_and_documents_promise_is_there() -> None:
    assert [each.id for each in DASHBOARDS] == ["platform", "service", "gateway", "autoscaling", "tenant", "cost"]


def test_panels_of_a_dashboard_are_told_apart_by_id_and_title() -> None:
    for each in DASHBOARDS:
        assert len({panel.id for panel in each.panels}) == len({panel.title for panel in each.panels}) > 1
        assert len({panel.id for panel in each.panels}) == len(each.panels)


@pytest.mark.parametrize(("dashboard", "panel"), PANELS, ids=lambda each: each.id)
def test_lines_of_a_panel_have_names_of_their_own(dashboard: Dashboard, panel: Panel) -> None:
    legends = [each.legend for each in panel.queries]
    assert len(set(legends)) == len(legends) > 0
    # Beside others in its panel, a query that gave several lines would give them one name.
    assert len(legends) == 1 or not any("{" in each for each in legends)


@pytest.mark.parametrize(("dashboard", "query"), QUERIES)
def test_query_is_cut_down_to_the_scope_of_its_dashboard(dashboard: Dashboard, query: Query) -> None:
    # The ledger's own state is of no tenant.
    own = re.search(r"runyard_billing_(ledger_lag|estimated)", query.promql)
    assert ("$scope" in query.promql) == (bool(dashboard.scope) and not own)
    if dashboard.scope:
        # Each metric that it reads, not just one of them.
        metrics = re.findall(r"[a-z]*:?runyard_[a-z0-9_:]+", query.promql)
        assert own or query.promql.count("{$scope}") == len(metrics)


@pytest.mark.parametrize(("dashboard", "query"), QUERIES)
def test_query_names_its_lines_by_labels_that_it_keeps(dashboard: Dashboard, query: Query) -> None:
    kept = re.findall(r"^\w+ by \(([^)]*)\)", query.promql)
    if kept:
        assert set(query.names) <= set(kept[0].split(", "))


@pytest.mark.parametrize(("dashboard", "query"), QUERIES)
def test_query_reads_no_rule_that_there_is_not(dashboard: Dashboard, query: Query) -> None:
    assert set(re.findall(r"\b(?:service|revision|tenant):[a-z0-9_:]+", query.promql)) <= recorded()

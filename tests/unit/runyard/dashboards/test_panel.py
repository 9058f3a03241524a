"""A query of a panel: for whom it asks, and how it names what it finds."""

from __future__ import annotations

import pytest

from runyard.dashboards import Query

BY_CODE = Query("sum by (code) (rate(runyard_requests_total{$scope}[1m]))", "{code}")


def test_scope_becomes_labels() -> None:
    asked = BY_CODE.ask({"tenant": "shop", "service": "web"})
    assert asked == 'sum by (code) (rate(runyard_requests_total{tenant="shop",service="web"}[1m]))'


def test_no_scope_is_everything() -> None:
    assert Query("up{$scope} / a{$scope}", "up").ask({}) == "up{} / a{}"


@pytest.mark.parametrize(
    ("value", "told"),
    [('a"} or up{x="', r"a\"} or up{x=\""), ("a\\", r"a\\"), ("a\nb", r"a\nb"), ("$scope", "$scope"), ("é😀", "é😀")],
)
def test_value_cannot_leave_its_quotes(value: str, told: str) -> None:
    assert Query("up{$scope}", "up").ask({"tenant": value}) == f'up{{tenant="{told}"}}'


def test_line_is_named_by_its_labels_and_one_that_lacks_some_by_the_others() -> None:
    query = Query("up", "{tenant}/{service} now")
    assert query.names == ("tenant", "service")
    assert query.name({"tenant": "shop", "service": "web", "code": "200"}) == "shop/web now"
    assert query.name({"service": "web"}) == "/web now"


def test_label_that_looks_like_a_legend_is_a_text() -> None:
    assert Query("up", "{code}").name({"code": "{tenant}", "tenant": "shop"}) == "{tenant}"

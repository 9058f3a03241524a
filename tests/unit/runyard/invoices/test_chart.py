"""The chart of a month: what its bars stand for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runyard.contracts import DailyCost
from runyard.invoices.chart import COLOURS, HEIGHT, WIDTH, draw_chart
from tests.unit.runyard.invoices.example import DAYS


def test_bars_of_a_day_stand_on_each_other_the_dearest_service_at_the_bottom() -> None:
    chart = draw_chart("2026-10", DAYS)
    assert chart is not None
    web, api, last = chart.bars
    assert (web.y + web.height, web.height, web.colour) == (HEIGHT, HEIGHT * 0.75, COLOURS[0])
    assert (api.y, api.y + api.height, api.colour) == (0, web.y, COLOURS[1])
    assert (last.height, last.colour, web.x == api.x) == (HEIGHT / 2, COLOURS[0], True)
    assert (chart.legend, chart.highest) == ((("web", COLOURS[0]), ("api", COLOURS[1])), Decimal("4.000000"))


@pytest.mark.parametrize(
    ("month", "last"), [("2026-02", "25"), ("2028-02", "25"), ("2026-04", "30"), ("2026-10", "30")]
)
def test_days_are_labelled_within_the_picture(month: str, last: str) -> None:
    chart = draw_chart(month, [DailyCost("web", f"{month}-01", Decimal(1))])
    assert chart is not None
    assert [label for _, label in chart.labels][0::1][0] == "1"
    assert chart.labels[-1][1] == last
    assert all(0 < x < WIDTH for x, _ in chart.labels)


def test_last_day_ends_at_the_edge_of_the_picture() -> None:
    chart = draw_chart("2026-10", DAYS)
    assert chart is not None
    assert WIDTH - 3 < chart.bars[-1].x + chart.bars[-1].width < WIDTH


def test_services_beyond_the_colours_share_the_last_one() -> None:
    days = [DailyCost(f"s{number}", "2026-10-01", Decimal(100 - number)) for number in range(9)]
    chart = draw_chart("2026-10", days)
    assert chart is not None
    assert chart.legend[-1] == ("3 others", COLOURS[-1])
    assert [bar.colour for bar in chart.bars] == [*COLOURS[:6], *[COLOURS[-1]] * 3]


def test_one_service_beyond_the_colours_keeps_its_name() -> None:
    days = [DailyCost(f"s{number}", "2026-10-01", Decimal(100 - number)) for number in range(7)]
    chart = draw_chart("2026-10", days)
    assert chart is not None
    assert chart.legend[-1] == ("s6", COLOURS[-1])


@pytest.mark.parametrize("days", [[], [DailyCost("web", "2026-10-01", Decimal("0.000000"))]])
def test_month_that_cost_nothing_has_no_chart(days: list[DailyCost]) -> None:
    assert draw_chart("2026-10", days) is None

"""Reports of costs: the same numbers in three forms, the same bytes twice."""

from __future__ import annotations

from decimal import Decimal

from runyard.forecast import Usages, price
from runyard.forecast.report import describe_costs, render_markdown, render_money, render_text
from runyard.manifest.model import Scaling
from tests.unit.runyard.plan.example import container, manifests, service, template

SHAPE = template(containers=(container(memory_bytes=1024**3),), scaling=Scaling(2, 10))
COSTS = price(manifests(service(name="web", tenant="shop", template=SHAPE)), "2026-11-23")

TEXT = """\
            floor  expected  ceiling  basis
shop        26.24     26.24   691.20
  shop/web  26.24     26.24   691.20  size small
total       26.24     26.24   691.20

USD a month of 730 hours, price book cloud-run-tier-1, prices from 2025-01-01.
Floor: every service idle at its minScale, or what is expected if less, as the free tier covers no idle time.
Ceiling: every service busy at its maxScale all month, with the requests of its rate if those are more.
Expected, size small: 100,000 requests of 100 ms, 1 at once, 1 GiB out.
Each service's CPU, memory, requests, egress and storage are rounded to the cent, half to even.
"""


def test_text_shows_services_under_their_tenants_and_names_the_basis() -> None:
    assert render_text(COSTS, Usages()) == TEXT


def test_markdown_is_a_table_and_a_list() -> None:
    lines = render_markdown(COSTS, Usages()).splitlines()
    assert lines[0] == "| service | floor | expected | ceiling | basis |"
    assert [line.count("|") for line in lines[:5]] == [6] * 5
    assert lines[6].startswith("- USD a month of 730 hours")


def test_json_holds_amounts_as_text_that_add_up() -> None:
    found = describe_costs(COSTS, Usages())
    (tenant,) = found["tenants"]
    lines = tenant["services"][0]["floor"]
    total = Decimal(lines.pop("total"))
    assert sum(map(Decimal, lines.values())) == total == Decimal(found["total"]["floor"])
    assert (found["schemaVersion"], found["monthHours"]) == (1, 730)


def test_two_reports_are_the_same_bytes() -> None:
    for render in (render_text, render_markdown, describe_costs):
        assert render(COSTS, Usages()) == render(COSTS, Usages())


def test_money_without_a_limit_says_so() -> None:
    assert [render_money(each) for each in (None, Decimal("1234.5"), Decimal(0))] == ["no limit", "1,234.50", "0.00"]

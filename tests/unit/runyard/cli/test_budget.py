"""Command `budget`, on a ledger that answers as told."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner

from runyard.cli.budget import budget, choose, render_text
from runyard.contracts import Budget, BudgetStatus, BudgetStatuses, Crossing, Spend, Threshold, encode
from runyard.errors import NotFound
from runyard.host.ledger import Ledger
from tests.unit.runyard.host.docker_api import DockerApi
from tests.unit.runyard.host.test_ledger import FakeHost

WARN, LIMIT = Threshold(50), Threshold(100, "forecast", "limit", 2)
STATUS = BudgetStatus(
    "shop",
    "2026-11",
    Budget(Decimal(100), "USD", (WARN, LIMIT)),
    Spend(Decimal("51.20"), Decimal("99.99")),
    (Crossing(WARN, "2026-11-16T12:01:02+00:00", Decimal("50.01")),),
)
OTHER = BudgetStatus("admin", "2026-11", STATUS.budget, Spend(Decimal("0.00"), Decimal("0.00")))


def test_budget_is_told_with_its_thresholds_and_what_was_crossed() -> None:
    assert render_text(STATUS).splitlines() == [
        "shop, 2026-11: 51.20 of 100.00 USD spent, 99.99 by the month's end",
        "     at  of cost   does        crossed",
        "   50 %  actual    warn        2026-11-16 12:01Z, at 50.01",
        "  100 %  forecast  limit to 2  -",
    ]


def test_budget_of_one_tenant_is_left_of_all_that_the_ledger_tells() -> None:
    told = BudgetStatuses((OTHER, STATUS))
    host = FakeHost(0, encode(told))
    found = Ledger(host, "dev").budgets()
    assert host.asked[0][1][-2:] == ("GET", "/v1/budgets")
    assert (choose(found, None), choose(found, "shop").budgets) == (told, (STATUS,))


def test_tenant_without_a_budget_is_an_error_that_names_who_has_one() -> None:
    with pytest.raises(NotFound, match=r"^budget shp: must be of a tenant with usage and .* \(admin, shop\)$"):
        choose(BudgetStatuses((OTHER, STATUS)), "shp")


def test_command_asks_the_ledger_of_its_stack(docker_api: DockerApi) -> None:
    docker_api.output = encode(BudgetStatuses((OTHER, STATUS))).encode()
    told = CliRunner().invoke(budget, ["shop", "-s", "prod", "-o", "json"])
    assert json.loads(told.stdout) == json.loads(encode(BudgetStatuses((STATUS,))))
    assert docker_api.asked[1] == "POST /containers/runyard.prod.billing/exec"
    both = CliRunner().invoke(budget, []).stdout
    assert both == f"{render_text(OTHER)}\n\n{render_text(STATUS)}\n"
    docker_api.output = encode(BudgetStatuses()).encode()
    assert CliRunner().invoke(budget, []).stdout == "no budgets\n"

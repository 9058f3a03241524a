"""The service as a whole: from a meter's batch to what a scraper, a reader and an administrator see."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from runyard.contracts import Budget, Budgets, Threshold, UsageBatch, encode
from runyard.contracts.window import WINDOW_MS
from tests.harness.postgres import Postgres
from tests.harness.waiting import until
from tests.unit.services.billing.program import Program, running
from tests.unit.services.billing.spool import Spool, serving
from tests.unit.services.billing.world import BUSY, at, minutes, window

ESTIMATED = dataclasses.replace(BUSY, estimated=True)
DAY = "from=2026-10-01&until=2026-10-02"


@pytest.fixture(scope="module")
def spool() -> Iterator[Spool]:
    with serving() as made:
        made.batches = [
            UsageBatch(5, tuple(minutes(60))),
            UsageBatch(9, (window(at(1), service="api", container="c2"), window(tenant="rival", container="c3"))),
        ]
        yield made


@pytest.fixture(scope="module")
def program(server: Postgres, spool: Spool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    database = server.url(server.make_database()).replace("+psycopg", "")
    with running(tmp_path_factory.mktemp("billing"), database, spool.port) as made:
        until(lambda: spool.asked[-1:] == [9], "all batches were taken")
        yield made


def test_usage_of_a_day_is_told_by_service_in_the_units_of_the_prices(program: Program) -> None:
    status, body, headers = program.get(f"/v1/usage?{DAY}&tenant=shop")
    answer = json.loads(body)
    assert (status, headers["x-total-count"], answer["total"]) == (200, "2", 2)
    assert answer["rows"][1] == {
        "tenant": "shop", "service": "web", "day": "2026-10-01",
        "active_vcpu_s": "1800.000000", "active_gib_s": "1800.000000",
        "idle_vcpu_s": "1800.000000", "idle_gib_s": "1800.000000",
        "instance_vcpu_s": "0.000000", "instance_gib_s": "0.000000",
        "requests": 6000, "egress_gib": "0.058594",
    }  # fmt: skip


def test_cost_of_a_day_is_told_as_csv_page_by_page(program: Program) -> None:
    first = program.get(f"/v1/cost?{DAY}&format=csv&limit=2")
    assert (first[0], first[2]["content-type"].split(";")[0], first[2]["x-next-offset"]) == (200, "text/csv", "2")
    second = program.get(f"/v1/cost?{DAY}&format=csv&limit=2&offset=2")
    assert "x-next-offset" not in second[2]
    rows = [row for page in (first, second) for row in csv.DictReader(io.StringIO(page[1]))]
    assert [(row["tenant"], row["service"], row["amount"], row["currency"]) for row in rows] == [
        ("rival", "web", "0.011088", "USD"),
        ("shop", "api", "0.011088", "USD"),
        ("shop", "web", "0.665259", "USD"),
    ]


def test_reader_that_has_the_newest_answer_is_told_so(program: Program) -> None:
    tag = program.get(f"/v1/cost?{DAY}")[2]["etag"]
    status, body, headers = program.get(f"/v1/cost?{DAY}", {"If-None-Match": f'"other", {tag}'})
    assert (status, body, headers["etag"]) == (304, "", tag)
    assert program.get(f"/v1/cost?{DAY}", {"If-None-Match": '"other"'})[0] == 200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-10-01", "until: field required, got None"),
        ("from=2026-13-01&until=2026-10-02", "from: input should be a valid date or datetime"),
        ("from=2026-10-02&until=2026-10-02", "until: must be 1 to 367 days after from (2026-10-02), got 2026-10-02"),
        ("from=2025-10-02&until=2026-10-05", "until: must be 1 to 367 days after from (2025-10-02), got 2026-10-05"),
        (f"{DAY}&tenant=No", "tenant: string should match pattern"),
        (f"{DAY}&limit=0", "limit: input should be greater than or equal to 1, got '0'"),
        (f"{DAY}&format=xml", "format: input should be 'json' or 'csv', got 'xml'"),
    ],
)
def test_question_that_does_not_fit_is_a_problem_with_place_rule_and_value(
    program: Program, query: str, said: str
) -> None:
    status, body, headers = program.get(f"/v1/usage?{query}")
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["detail"].startswith(said)


def test_path_that_is_not_there_and_a_host_that_is_not_ours_are_refused(program: Program) -> None:
    status, body, headers = program.get("/v1/nothing")
    assert (status, headers["content-type"], json.loads(body)["status"]) == (404, "application/problem+json", 404)
    assert program.get("/healthz", {"Host": "attacker.example"})[0] == 400


def test_what_writes_is_not_on_the_port(program: Program) -> None:
    for path in ("/v1/tenants/shop/statements/2026-10", "/v1/verification"):
        assert program.get(path)[0] == 404


def test_document_of_the_api_names_its_paths(program: Program) -> None:
    status, body, _ = program.get("/v1/openapi.json")
    document = json.loads(body)
    assert (status, document["openapi"].partition(".")[0]) == (200, "3")
    assert sorted(document["paths"]) == ["/healthz", "/metrics", "/v1/cost", "/v1/usage"]
    parameters = {each["name"] for each in document["paths"]["/v1/cost"]["get"]["parameters"]}
    assert parameters >= {"from", "until", "tenant", "service", "format", "offset", "limit"}


def test_invoice_is_stated_issued_verified_and_settled_on_the_socket(program: Program) -> None:
    status, draft = program.ask("GET", "/v1/tenants/shop/statements/2026-10")
    assert (status, draft["bills"][0]["number"], draft["total"]) == (200, 0, "0.68")
    status, issued = program.ask("POST", "/v1/tenants/shop/invoices/2026-10")
    assert (status, issued["bills"][0]["number"], issued["bills"][0]["issuer"]) == (200, 1, "acme")
    assert program.ask("POST", "/v1/tenants/shop/invoices/2026-10") == (200, issued)
    status, verified = program.ask("GET", "/v1/verification?tenant=shop&month=2026-10")
    assert (status, [each["differences"] for each in verified["bills"]], verified["problems"]) == (200, [[]], [])
    payment = {"number": 1, "kind": "payment", "amount": "0.68"}
    assert program.ask("PUT", "/v1/settlements/bank-7", payment) == (200, {"written": True})
    assert program.ask("PUT", "/v1/settlements/bank-7", payment) == (200, {"written": False})


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "detail"),
    [
        ("GET", "/v1/tenants/nobody/statements/2026-10", None, 404,
         "tenant nobody: must be one of which the ledger has usage"),
        ("GET", "/v1/tenants/shop/statements/2026-13", None, 400,
         "month: must be a month such as 2026-11, got '2026-13'"),
        ("POST", "/v1/tenants/shop/invoices/2999-01", None, 400,
         "issue invoice of shop: month must be over, got 2999-01"),
        ("PUT", "/v1/settlements/k", {"number": 1, "kind": "payment", "amount": "x"}, 400,
         "amount: must be an amount such as 12.50 with at most 12 digits before and after the point, got 'x'"),
        ("PUT", "/v1/settlements/k", {"number": 99, "kind": "payment", "amount": "1"}, 404,
         "settle invoice 99: must be a bill of acme"),
    ],
)  # fmt: skip
def test_what_the_ledger_refuses_is_a_problem(
    program: Program, method: str, target: str, body: object, status: int, detail: str
) -> None:
    found, answer = program.ask(method, target, body)
    assert (found, answer["status"], answer["detail"]) == (status, status, detail)


def test_metrics_show_this_months_cost_and_how_far_the_ledger_is_behind(server: Postgres, tmp_path: Path) -> None:
    now_ms = int(time.time() * 1000)
    first = now_ms - now_ms % WINDOW_MS - 2 * WINDOW_MS
    with serving() as spool:
        spool.batches = [
            UsageBatch(
                1, (window(first, started_ms=first), window(first, started_ms=first, amounts=ESTIMATED, container="c2"))
            )
        ]
        budgets = Budgets({"shop": Budget(Decimal("0.01"), "USD", (Threshold(100, action="stop"),))})
        database = server.url(server.make_database())
        with running(tmp_path, database, spool.port, RUNYARD_BUDGETS=encode(budgets)) as made:
            until(lambda: spool.asked[-1:] == [1], "the batch was taken")
            until(lambda: "runyard_billing_budget_crossed{" in made.get("/metrics")[1], "its budget was judged")
            status, body, _ = made.get("/metrics")
            (stated,) = made.ask("GET", "/v1/budgets")[1]["budgets"]
            (measured,) = made.ask("GET", "/v1/measures")[1]["measures"]
            resident = made.resident_bytes()
    samples = dict(line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
    assert status == 200
    assert samples["runyard_billing_ledger_up"] == "1.0"
    assert samples['runyard_billing_windows_total{result="new"}'] == "2.0"
    assert samples["runyard_billing_estimated_windows"] == "1.0"
    labels = '{currency="USD",service="web",tenant="shop"}'
    assert float(samples[f"runyard_billing_month_cost{labels}"]) > 0
    assert float(samples[f"runyard_billing_hour_cost{labels}"]) == pytest.approx(0.022176, abs=2e-6)
    assert 0 <= float(samples["runyard_billing_ledger_lag_seconds"]) < 600
    crossed = 'runyard_billing_budget_crossed{action="stop",percent="100",spending="actual",tenant="shop"}'
    assert samples[crossed] == "1.0"
    assert samples['runyard_billing_budget{currency="USD",tenant="shop"}'] == "0.01"
    assert stated["spend"]["actual"] == stated["crossings"][0]["amount"]
    assert (measured["service"], measured["requests"]) == ("web", 200)
    # Beside Postgres, which has about a third of it, it is to be under 150 MiB.
    assert resident < 110 * 1024**2

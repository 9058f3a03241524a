"""What the parts are told: addresses of each other, and nothing that they have no use for."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from runyard.contracts import Budget, Budgets, Threshold, TlsSettings, decode
from runyard.manifest.model import Gateway, Logs, Observability, Platform
from runyard.manifest.tls import Acme, Tls
from runyard.plan import environment
from runyard.plan.environment import Environment, Subject
from runyard.plan.listeners import ListenerPlan

PLATFORM = Platform(
    orchestrator_port=4001,
    billing="on",
    billing_port=4002,
    observability=Observability("basic", meter_port=4005, prometheus_port=4090, retention_days=3),
)
SUBJECT = Subject("prod", PLATFORM, ("gateway", "orchestrator"), None, Budgets())
OWN = (ListenerPlan("status", "127.0.0.1", 4999),)
LOCAL = Tls("local")


def told(environment: Environment, subject: Subject = SUBJECT) -> dict[str, str]:
    return dict(environment(subject, OWN))


def on(**changes: object) -> Subject:
    return dataclasses.replace(SUBJECT, platform=dataclasses.replace(PLATFORM, **changes))  # type: ignore[arg-type]


def test_parts_know_their_stack_and_where_they_listen() -> None:
    assert told(environment.tell_nothing) == {}
    assert told(environment.tell_firewall) == {"RUNYARD_STACK": "prod"}
    assert told(environment.tell_meter) == {"RUNYARD_STACK": "prod", "RUNYARD_HTTP_ADDRESS": "127.0.0.1:4999"}
    assert told(environment.tell_filter) == {"RUNYARD_STACK": "prod", "RUNYARD_PARTS": "gateway,orchestrator"}


def test_either_orchestrator_knows_where_the_one_that_leads_listens_and_which_it_is() -> None:
    # The stand-by has no listener of its own.
    one, other = (environment.tell_orchestrator(name)(SUBJECT, ()) for name in ("orchestrator", "standby"))
    assert one["RUNYARD_HTTP_ADDRESS"] == other["RUNYARD_HTTP_ADDRESS"] == "127.0.0.1:4001"
    assert (one["RUNYARD_PART"], other["RUNYARD_PART"]) == ("orchestrator", "standby")
    assert {"RUNYARD_TLS", "RUNYARD_CALLER_IDENTITY"} & one.keys() == set()
    named = environment.tell_orchestrator("standby")(on(gateway=Gateway(caller_identity=True)), ())
    assert named["RUNYARD_CALLER_IDENTITY"] == "on"


def test_orchestrator_knows_where_certificates_come_from() -> None:
    local = told(environment.tell_orchestrator("orchestrator"), on(domain="apps.example", gateway=Gateway(tls=LOCAL)))
    assert decode(TlsSettings, local["RUNYARD_TLS"]) == TlsSettings("local", "apps.example")
    acme = Tls("acme", acme=Acme("https://acme.example/directory", ("mailto:a@b.example",), "PEM"))
    ordered = told(environment.tell_orchestrator("orchestrator"), on(gateway=Gateway(tls=acme)))
    assert decode(TlsSettings, ordered["RUNYARD_TLS"]) == TlsSettings(
        "acme", PLATFORM.domain, "https://acme.example/directory", ("mailto:a@b.example",), "PEM"
    )


def test_what_is_kept_has_its_bounds() -> None:
    assert told(environment.tell_prometheus)["RUNYARD_RETENTION"] == "3d"
    assert told(environment.tell_alertmanager)["RUNYARD_ADDRESS_POOL"] == PLATFORM.address_pool
    logs = Logs(retention_days=5, bytes_per_second=1000, bytes_per_day=2000)
    kept = told(environment.tell_logs, on(observability=Observability("full", logs=logs)))
    bounds = [kept[f"RUNYARD_{name}"] for name in ("RETENTION_DAYS", "BYTES_PER_SECOND", "BYTES_PER_DAY")]
    assert bounds == ["5", "1000", "2000"]


def test_ledger_is_told_of_prices_and_budgets_where_there_are_some() -> None:
    addresses = {"RUNYARD_HTTP_ADDRESS": "127.0.0.1:4999", "RUNYARD_METER_ADDRESS": "127.0.0.1:4005"}
    assert told(environment.tell_billing) == addresses
    budgets = Budgets({"shop": Budget(Decimal(10), "USD", (Threshold(100, action="block"),))})
    given = told(environment.tell_billing, dataclasses.replace(SUBJECT, budgets=budgets))
    assert given.keys() - addresses.keys() == {"RUNYARD_BUDGETS"}
    assert decode(Budgets, given["RUNYARD_BUDGETS"]) == budgets


def test_console_is_told_of_metrics_where_they_are_kept() -> None:
    seen = told(environment.tell_console)
    assert (seen["RUNYARD_REGISTRY_ADDRESS"], seen["RUNYARD_LEDGER_ADDRESS"]) == ("127.0.0.1:4001", "127.0.0.1:4002")
    assert seen["RUNYARD_PROMETHEUS_ADDRESS"] == "127.0.0.1:4090"
    blind = told(environment.tell_console, on(observability=Observability()))
    assert blind.keys() == seen.keys() - {"RUNYARD_PROMETHEUS_ADDRESS"}

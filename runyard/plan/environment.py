"""Environment of the platform's parts: what each is told of its stack when it starts; pure, and nothing is secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from runyard import names
from runyard.contracts import Budgets, TlsSettings, encode
from runyard.manifest.model import Platform
from runyard.plan.listeners import (
    ListenerPlan,
    plan_billing_listeners,
    plan_meter_listeners,
    plan_orchestrator_listeners,
    plan_prometheus_listeners,
)
from runyard.pricing.settings import BillingSettings


@dataclass(frozen=True, slots=True)
class Subject:
    """What its parts may be told of a stack: its name, platform and parts, and what is for its ledger."""

    name: str
    platform: Platform
    parts: tuple[str, ...]
    billing: BillingSettings | None
    budgets: Budgets


# Of a stack, and the part's own listeners.
Environment = Callable[[Subject, tuple[ListenerPlan, ...]], Mapping[str, str]]


def tell_nothing(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell a part nothing."""
    # The gateway's configuration has it all, and the database has its own.
    return {}


def tell_orchestrator(part: str) -> Environment:
    """Give what tells an orchestrator, which is this part."""

    def tell(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
        # Whichever of the two leads listens there.
        (status,) = plan_orchestrator_listeners(stack.platform, "")
        return {
            "RUNYARD_STACK": stack.name,
            "RUNYARD_HTTP_ADDRESS": status.address,
            "RUNYARD_PART": part,
            "RUNYARD_PARTS": _name_parts(stack),
            "RUNYARD_ENGINE": names.ENGINE_SOCKET,
            **_tls_environment(stack.platform),
            **({"RUNYARD_CALLER_IDENTITY": "on"} if stack.platform.gateway.caller_identity else {}),
        }

    return tell


def tell_filter(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell the filter whose engine it guards."""
    return {"RUNYARD_STACK": stack.name, "RUNYARD_PARTS": _name_parts(stack)}


def _name_parts(stack: Subject) -> str:
    return ",".join(stack.parts)


def tell_firewall(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell the firewall whose rules it keeps."""
    return {"RUNYARD_STACK": stack.name}


def tell_meter(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell the meter where it listens."""
    (status,) = listeners
    return {"RUNYARD_STACK": stack.name, "RUNYARD_HTTP_ADDRESS": status.address}


def tell_logs(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell the logs where they listen, and how much is kept for how long."""
    (status,) = listeners
    logs = stack.platform.observability.logs
    return {
        "RUNYARD_STACK": stack.name,
        "RUNYARD_HTTP_ADDRESS": status.address,
        "RUNYARD_RETENTION_DAYS": str(logs.retention_days),
        "RUNYARD_BYTES_PER_SECOND": str(logs.bytes_per_second),
        "RUNYARD_BYTES_PER_DAY": str(logs.bytes_per_day),
    }


def tell_prometheus(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell Prometheus where it listens, and how long it keeps what it scrapes."""
    (status,) = listeners
    return {
        "RUNYARD_HTTP_ADDRESS": status.address,
        "RUNYARD_RETENTION": f"{stack.platform.observability.retention_days}d",
    }


def tell_alertmanager(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell Alertmanager where it listens, and which addresses are not for it."""
    (status,) = listeners
    # To whose addresses nothing may be sent.
    return {"RUNYARD_HTTP_ADDRESS": status.address, "RUNYARD_ADDRESS_POOL": stack.platform.address_pool}


def tell_billing(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell the ledger where it and the meter listen, prices and budgets."""
    (status,) = listeners
    (meter,) = plan_meter_listeners(stack.platform, "")
    told = {"RUNYARD_HTTP_ADDRESS": status.address, "RUNYARD_METER_ADDRESS": meter.address}
    # Whoever asks for addresses alone knows no prices.
    if stack.billing is not None:
        told["RUNYARD_BILLING"] = encode(stack.billing)
    if stack.budgets.tenants:
        told["RUNYARD_BUDGETS"] = encode(stack.budgets)
    return told


def tell_console(stack: Subject, listeners: tuple[ListenerPlan, ...]) -> Mapping[str, str]:
    """Tell the console where it and whom it asks listen."""
    (status,) = listeners
    (registry,) = plan_orchestrator_listeners(stack.platform, "")
    (ledger,) = plan_billing_listeners(stack.platform, "")
    (prometheus,) = plan_prometheus_listeners(stack.platform, "")
    return {
        "RUNYARD_HTTP_ADDRESS": status.address,
        "RUNYARD_REGISTRY_ADDRESS": registry.address,
        "RUNYARD_LEDGER_ADDRESS": ledger.address,
        **({"RUNYARD_PROMETHEUS_ADDRESS": prometheus.address} if stack.platform.observability.on else {}),
    }


def _tls_environment(platform: Platform) -> dict[str, str]:
    """Say where certificates come from; nothing of it is secret, and without TLS there is nothing to say."""
    tls = platform.gateway.tls
    if not tls.on:
        return {}
    settings = TlsSettings(mode=tls.mode, domain=platform.domain)
    if (acme := tls.acme) is not None:
        settings = replace(settings, acme_directory=acme.directory, acme_contacts=acme.contacts, acme_ca=acme.ca_bundle)
    return {"RUNYARD_TLS": encode(settings)}

"""Alerting: whom a stack tells of what, as Alertmanager reads it, and what its tenants may use; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runyard.accounts import Quotas
from runyard.manifest.model import Manifests
from runyard.manifest.observability import Observability, Receiver, SecretKey
from runyard.names import DNS_LABEL, service_key
from runyard.plan.secret import VERSIONS, describe_no_key

# Of each tenant, and of the platform as "": `name/key` of a secret to its value.
Secrets = Mapping[str, Mapping[str, str]]

PLATFORM = ""
# Who is told what nobody asked to be told.
_NOBODY = "nobody"
# An alert and its end are told anew when the group has changed, this much later at the soonest.
_GROUP_INTERVAL_S = 30


@dataclass(frozen=True, slots=True)
class TenantReceiver:
    """Who is told of one tenant's alerts, or of all where the tenant is the platform."""

    tenant: str
    receiver: Receiver

    @property
    def name(self) -> str:
        """Its name at Alertmanager: of the platform as it is, of a tenant with the tenant's."""
        return self.receiver.name if self.tenant == PLATFORM else service_key(self.tenant, self.receiver.name)


@dataclass(frozen=True, slots=True)
class Alerting:
    """Who is told, after how long, and by which quotas tenants are judged; without observability there is none."""

    on: bool = False
    group_wait_s: int = Observability().group_wait_s
    repeat_s: int = Observability().repeat_s
    receivers: tuple[TenantReceiver, ...] = ()
    quotas: tuple[tuple[str, Quotas], ...] = ()


def plan_alerting(manifests: Manifests) -> Alerting:
    """Plan whom to tell: the Platform's receivers first, then those of tenants, in the order of the manifests."""
    said = manifests.platform.observability
    if not said.on:
        return Alerting()
    everybody = [TenantReceiver(PLATFORM, each) for each in said.receivers]
    tenants = [TenantReceiver(tenant.name, each) for tenant in manifests.tenants for each in tenant.receivers]
    quotas = tuple((each.name, each.quotas) for each in manifests.tenants if each.quotas != Quotas())
    return Alerting(True, said.group_wait_s, said.repeat_s, (*everybody, *tenants), quotas)


def missing_secrets(alerting: Alerting, secrets: Secrets) -> Iterator[str]:
    """Say which secret of a receiver has no value in this stack, and what gives it one."""
    for each in alerting.receivers:
        for key in each.receiver.secrets:
            if _path(key) not in secrets.get(each.tenant, {}):
                platforms = each.tenant == PLATFORM
                lack = _describe_own(key) if platforms else describe_no_key("secret", key.name, key.key, each.tenant)
                yield f"receiver {each.name}: {lack}"


def _describe_own(key: SecretKey) -> str:
    # The platform's are no tenant's, for whom `runyard secret set` is.
    parts = (key.name,) if key.key in VERSIONS else (key.name, key.key)
    path = "".join(f".{each}" if DNS_LABEL.fullmatch(each) else f'["{each}"]' for each in parts)
    command = f"pulumi config set --secret --path 'runyard:receiverSecrets{path}' VALUE"
    return f"secret {key.name} has no key {key.key} in this stack ({command})"


def render_receivers(alerting: Alerting, secrets: Secrets) -> str:
    """Render Alertmanager's configuration as JSON, which is YAML too; secrets are in it as they are."""
    receivers: list[dict[str, Any]] = [{"name": _NOBODY}]
    routes: list[dict[str, Any]] = []
    for each in alerting.receivers:
        receivers.append({"name": each.name, **_render(each.receiver, secrets.get(each.tenant, {}))})
        of_tenant = {} if each.tenant == PLATFORM else {"matchers": [f"tenant={json.dumps(each.tenant)}"]}
        routes.append({"receiver": each.name, "continue": True, **of_tenant})
    whole = {
        "route": {
            "receiver": _NOBODY,
            "group_by": ["alertname", "tenant", "service"],
            "group_wait": f"{alerting.group_wait_s}s",
            "group_interval": f"{_GROUP_INTERVAL_S}s",
            "repeat_interval": f"{alerting.repeat_s}s",
            "routes": routes,
        },
        # Of one trouble, the worst is enough.
        "inhibit_rules": [
            {
                "source_matchers": ['severity="critical"', 'signal=~".+"'],
                "target_matchers": ['severity="warning"'],
                "equal": ["tenant", "service", "signal"],
            }
        ],
        "receivers": receivers,
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":"))


def describe_receivers(alerting: Alerting) -> dict[str, str]:
    """Describe receivers for previews, by their names, without what may be secret."""
    return {each.name: f"{each.receiver.kind} {_aim(each.receiver)}".strip() for each in alerting.receivers}


def _aim(receiver: Receiver) -> str:
    if receiver.url_from:
        return f"[secret {_path(receiver.url_from)}] {receiver.channel}"
    return f"{', '.join(receiver.to)} over {receiver.server}" if receiver.kind == "email" else receiver.url


def _render(receiver: Receiver, secrets: Mapping[str, str]) -> dict[str, Any]:
    url = secrets[_path(receiver.url_from)].strip() if receiver.url_from else receiver.url
    if receiver.kind == "webhook":
        return {"webhook_configs": [{"url": url, "send_resolved": True}]}
    if receiver.kind == "slack":
        said = {"api_url": url, "send_resolved": True, "title": _TITLE, "text": _TEXT}
        return {"slack_configs": [said | ({"channel": receiver.channel} if receiver.channel else {})]}
    email = {"to": ", ".join(receiver.to), "from": receiver.sender, "smarthost": receiver.server, "send_resolved": True}
    if receiver.password_from:
        email |= {"auth_username": receiver.username, "auth_password": secrets[_path(receiver.password_from)]}
    return {"email_configs": [email]}


# As a person reads them who was just woken: what, where, how bad, and what to do about it.
_TITLE = "[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }} {{ with .CommonLabels.service }}{{ . }}{{ end }}"
_TEXT = (
    "{{ range .Alerts }}{{ .Annotations.summary }}: {{ .Annotations.description }} "
    "(stack {{ .Labels.stack }}, {{ .Annotations.runbook }})\n{{ end }}"
)


def _path(key: SecretKey) -> str:
    return f"{key.name}/{key.key}"

"""Secrets of a stack as its configuration holds them, and the digests that stand for them in a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard import names
from runyard.contracts import RevisionDocument, SecretValue
from runyard.errors import UsageError
from runyard.manifest.model import Manifests
from runyard.plan.alerting import PLATFORM, missing_secrets, plan_alerting
from runyard.plan.secret import LazyDigests, describe_missing, values_of_manifests

# For each tenant, `name/key` of a secret to its value, or to the digest of its value.
TenantSecrets = Mapping[str, Mapping[str, str]]


def flatten_secrets(config: Mapping[str, Any], receivers: Mapping[str, Any] | None = None) -> dict[str, dict[str, str]]:
    """Turn `tenant: {name: value or {key: value}}` into `tenant: {name/key: value}`; UsageError where it is not that.

    A plain value answers `latest` and `1`, the keys that Cloud Run's manifests use for a secret's version. `receivers`
    are those of the Platform's receivers, under a name that no tenant can have: no service may name these.
    """
    flat = {tenant: _flatten(f"secrets.{tenant}", named) for tenant, named in config.items()}
    if receivers:
        flat[PLATFORM] = _flatten("receiverSecrets", receivers)
    return flat


def _flatten(where: str, named: Any) -> dict[str, str]:
    if not isinstance(named, Mapping):
        raise UsageError(f"config runyard:{where}: must map secret names to values")
    flat: dict[str, str] = {}
    for name, value in named.items():
        keys = value if isinstance(value, Mapping) else {"latest": value, "1": value}
        flat |= {f"{name}/{key}": str(each) for key, each in keys.items()}
    return flat


def flatten_certificates(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Read `name: {certificate, key}` of the stack's configuration; UsageError where it is not that."""
    found: dict[str, dict[str, str]] = {}
    for name, pair in config.items():
        where = f"config runyard:certificates.{name}"
        if not names.DNS_LABEL.fullmatch(name):
            raise UsageError(f"{where}: the name must be a DNS label")
        if not isinstance(pair, Mapping) or set(pair) != {"certificate", "key"}:
            raise UsageError(f"{where}: must have certificate and key, both PEM, and nothing else")
        if not all(isinstance(each, str) and each.startswith("-----BEGIN ") for each in pair.values()):
            raise UsageError(f"{where}: certificate and key must be PEM")
        found[name] = {"chain": pair["certificate"], "key": pair["key"]}
    return found


def digest_secrets(secrets: TenantSecrets) -> dict[str, Mapping[str, str]]:
    """Hash values, so that a new value makes a new revision; each when it is first asked for."""
    return {tenant: LazyDigests(tenant, named) for tenant, named in secrets.items()}


def with_manifests(manifests: Manifests, secrets: TenantSecrets) -> dict[str, dict[str, str]]:
    """Give each tenant's values by `name/key`, those of the manifests by `kind:name/key` beside those of the stack."""
    tenants = sorted({*secrets, *(each.tenant for each in manifests.services)})
    return {each: {**values_of_manifests(manifests, each), **secrets.get(each, {})} for each in tenants}


def check_references(manifests: Manifests, secrets: TenantSecrets) -> None:
    """Require a value for whatever is not optional; UsageError lists what has none, in the order of the manifests.

    What is optional and has no value is in no plan.
    """
    known = with_manifests(manifests, secrets)
    missing = [problem for each in manifests.services for problem in describe_missing(each, known[each.tenant])]
    missing += missing_secrets(plan_alerting(manifests), secrets)
    if missing:
        raise UsageError("\n".join(missing))


def values_of(document: RevisionDocument, secrets: Mapping[str, str]) -> dict[str, str]:
    """Map the digest of each secret value of a document to the value, out of its tenant's `name/key` to value.

    The document is of a plan that was made with the digests of these secrets: an earlier one may have had other values.
    UsageError names a value that is not among them.
    """
    found = {}
    for secret in document.secrets:
        if _key(secret) not in secrets:
            raise UsageError(f"revision {document.name}: secret {secret.name} has no key {secret.key} in this stack")
        found[secret.digest] = secrets[_key(secret)]
    return found


def _key(secret: SecretValue) -> str:
    return f"{secret.name}/{secret.key}"

"""Secrets of a stack as its configuration holds them, and the digests that stand for them in a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from runyard import names
from runyard.contracts import RevisionDocument, SecretValue
from runyard.errors import UsageError
from runyard.manifest.model import Manifests
from runyard.plan.alerting import PLATFORM, missing_secrets, plan_alerting
from runyard.plan.secret import describe_missing

# For each tenant, `name/key` of a secret to its value, or to the digest of its value.
TenantSecrets = Mapping[str, Mapping[str, str]]

# Slow enough that a short hash of a guessable secret is no shortcut to it. The digest itself is never shown: it is
# one part of what a revision's 32-bit hash is made of.
_ROUNDS = 100_000


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
    """Hash values (PBKDF2-SHA256, salted by tenant and name), so that a new value makes a new revision.

    Each is hashed when it is first asked for: one takes 25 ms, and most stacks keep more secrets than manifests name.
    """
    return {tenant: _Digests(tenant, named) for tenant, named in secrets.items()}


class _Digests(Mapping[str, str]):
    """The digests of a tenant's values by `name/key`; which keys there are costs nothing to tell."""

    def __init__(self, tenant: str, values: Mapping[str, str]) -> None:
        self._tenant = tenant
        self._values = values
        self._made: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        if key not in self._made:
            self._made[key] = _digest(f"{self._tenant}/{key}", self._values[key])
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def check_references(manifests: Manifests, secrets: TenantSecrets) -> None:
    """Require a value for whatever is not optional; UsageError lists what has none, in the order of the manifests.

    What is optional and has no value is in no plan.
    """
    missing = [
        problem for each in manifests.services for problem in describe_missing(each, secrets.get(each.tenant, {}))
    ]
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


def _digest(salt: str, value: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", value.encode(), salt.encode(), _ROUNDS).hex()

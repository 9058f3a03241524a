"""Accounts of tenants as frozen data: how much a tenant may use, and who belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["owner", "developer", "viewer"]


@dataclass(frozen=True, slots=True)
class Quotas:
    """The most that a tenant's services may take together; None is no limit."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None
    instances: int | None = None
    services: int | None = None
    storage_bytes: int | None = None
    hosts: int | None = None
    requests_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A person of a tenant and what they may do."""

    user: str
    role: Role

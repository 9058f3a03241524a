"""Shapes of the API: what is sent and answered, each with an example."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runyard.dashboards import Kind, Unit
from services.console.adapters.users import Role

# What is wrong comes first; the page orders services by these.
State = Literal["failing", "degraded", "starting", "paused", "moving", "ready", "asleep"]


class _Shape(BaseModel):
    """A message without surprises: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    """An answer: every field is there, which a document that is made of it should say."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class SignIn(_Shape):
    """User and password."""

    email: str = Field(max_length=255, examples=["ann@example.org"])
    password: str = Field(max_length=1024, examples=["correct horse battery"])


class Registration(_Shape):
    """An invitation's token, and the password of the account that is made, or that there is."""

    invitation: str = Field(max_length=100, examples=["9yfY0lV5nqAq3kqk0sCw3f2K8f0u3sHq7Yb4m1TzE1c"])
    password: str = Field(max_length=1024, examples=["correct horse battery"])


class NewPassword(_Shape):
    """A reset's token, and the password that the account has from then on."""

    reset: str = Field(max_length=100, examples=["9yfY0lV5nqAq3kqk0sCw3f2K8f0u3sHq7Yb4m1TzE1c"])
    password: str = Field(max_length=1024, examples=["correct horse battery"])


class Member(_Answer):
    """A tenant of which one is a member, and as what."""

    tenant: str = Field(examples=["shop"])
    role: Role = Field(examples=["owner"])


class Session(_Answer):
    """Who is signed in."""

    email: str = Field(examples=["ann@example.org"])
    tenants: list[Member]


class Share(_Answer):
    """A revision's part of the traffic, in percent; a tag has an address of its own."""

    revision: str = Field(examples=["web-8d1f"])
    percent: int = Field(examples=[100])
    tag: str = Field(default="", examples=["canary"])


class Service(_Answer):
    """A service as a row of a list; `cost` is this month's at list prices, null while the ledger does not tell."""

    name: str = Field(examples=["web"])
    state: State = Field(examples=["ready"])
    reason: str = Field(default="", examples=["it exited with code 1"])
    hosts: list[str] = Field(examples=[["web.shop.localhost"]])
    traffic: list[Share]
    desired: int = Field(examples=[2])
    ready: int = Field(examples=[2])
    cost: str | None = Field(default=None, examples=["1.204512"])
    currency: str = Field(default="", examples=["USD"])


class ServiceList(_Answer):
    """The services of a tenant, what is wrong first; `generation` is that of the gateway's routes."""

    services: list[Service]
    generation: int = Field(examples=[12])


class Revision(_Answer):
    """A revision that is kept: its instances, and why the last of them failed."""

    name: str = Field(examples=["web-8d1f"])
    percent: int = Field(examples=[100])
    goal_percent: int = Field(examples=[100])
    desired: int = Field(examples=[2])
    ready: int = Field(examples=[2])
    asleep: bool = Field(examples=[False])
    restarts: int = Field(examples=[0])
    reason: str = Field(default="", examples=[""])


class Instance(_Answer):
    """An instance and its state."""

    id: str = Field(examples=["19a3c1"])
    revision: str = Field(examples=["web-8d1f"])
    state: str = Field(examples=["ready"])
    reason: str = Field(default="", examples=[""])


class Decision(_Answer):
    """A change of how many instances there should be, and why."""

    at: datetime
    revision: str = Field(examples=["web-8d1f"])
    before: int = Field(examples=[1])
    count: int = Field(examples=[3])
    why: str = Field(examples=["load"])
    reason: str = Field(examples=["3 instances: 210 requests at once, 70 each"])


class CostOfDay(_Answer):
    """What a day of a service cost at list prices."""

    day: str = Field(examples=["2026-11-27"])
    amount: str = Field(examples=["0.120451"])


class ServiceDetail(_Answer):
    """All that is seen of one service; `costs` are of the last thirty days, empty while the ledger does not tell."""

    service: Service
    revisions: list[Revision]
    instances: list[Instance]
    decisions: list[Decision]
    shift_remaining_s: int | None = Field(default=None, examples=[None])
    costs: list[CostOfDay]


class Usage(_Answer):
    """Rows by service and day, in the units of the prices."""

    rows: list[dict[str, Any]] = Field(
        examples=[[{"service": "web", "day": "2026-11-27", "requests": 120, "active_vcpu_s": "36.000000"}]]
    )


class Statement(_Answer):
    """What a tenant pays for a month: bills with their lines, or a draft alone."""

    month: str = Field(examples=["2026-11"])
    currency: str = Field(examples=["USD"])
    total: str = Field(examples=["12.40"])
    pending: str = Field(examples=["0.00"])
    bills: list[dict[str, Any]] = Field(examples=[[{"number": 7, "kind": "invoice", "total": "12.40", "lines": []}]])


class AuditEntry(_Answer):
    """One line of the audit log."""

    number: int = Field(examples=[41])
    at: datetime
    email: str = Field(examples=["ann@example.org"])
    action: str = Field(examples=["register"])
    outcome: Literal["done", "refused"] = Field(examples=["done"])
    detail: str = Field(examples=[""])
    address: str = Field(examples=["127.0.0.1"])


class AuditPage(_Answer):
    """Lines from new to old; `next` goes on, null at the end."""

    entries: list[AuditEntry]
    next: int | None = Field(default=None, examples=[None])


class PanelLine(_Answer):
    """A line of a panel; its values are at the moments of the answer, null where there is none."""

    name: str = Field(examples=["p95"])
    values: list[float | None] = Field(examples=[[0.012, None]])


class Panel(_Answer):
    """What is seen of one thing, as runyard.dashboards has it; without a line there was nothing to tell."""

    id: str = Field(examples=["latency"])
    title: str = Field(examples=["Latency"])
    about: str = Field(examples=["From the first byte of a request to the last of its answer, over five minutes."])
    unit: Unit = Field(examples=["s"])
    kind: Kind = Field(examples=["lines"])
    lines: list[PanelLine]


class Panels(_Answer):
    """The panels of a service at moments `step_s` apart from `start` on; `kept` is whether the stack keeps metrics."""

    kept: bool = Field(examples=[True])
    start: datetime
    step_s: int = Field(examples=[15])
    panels: list[Panel]

"""Observability: what a Platform keeps for looking, and whom it tells of trouble."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ReceiverKind = Literal["webhook", "slack", "email"]


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key of a secret of the stack's configuration."""

    name: str
    key: str = "latest"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is told of alerts, and of their end.

    `url` is of a webhook or of one that takes Slack's messages; `url_from` is the secret that holds it instead.
    E-mail goes `to` addresses, from `sender`, over the SMTP server `server` (`host:port`), which must speak STARTTLS.
    """

    name: str
    kind: ReceiverKind
    url: str = ""
    url_from: SecretKey | None = None
    channel: str = ""
    to: tuple[str, ...] = ()
    sender: str = ""
    server: str = ""
    username: str = ""
    password_from: SecretKey | None = None

    @property
    def secrets(self) -> tuple[SecretKey, ...]:
        """The secrets that it names."""
        return tuple(each for each in (self.url_from, self.password_from) if each)


@dataclass(frozen=True, slots=True)
class Logs:
    """How what services write is kept: for how many days, and how much of each service's at most.

    `bytes_per_second` is the mean of ten seconds, so that a start or a stack trace may come at once.
    """

    port: int = 3006
    retention_days: int = 7
    bytes_per_second: int = 1024**2
    bytes_per_day: int = 1024**3


@dataclass(frozen=True, slots=True)
class Observability:
    """What is kept for looking: with `basic`, a meter, Prometheus and Alertmanager on these ports; `full` adds logs.

    Metrics are kept for so many days. `receivers` are told of all alerts: of the first of a group after `group_wait_s`,
    for others may belong to it, and again after `repeat_s` while it lasts.
    """

    level: Literal["none", "basic", "full"] = "none"
    meter_port: int = 3005
    prometheus_port: int = 9090
    retention_days: int = 15
    alertmanager_port: int = 9093
    group_wait_s: int = 10
    repeat_s: int = 14_400
    receivers: tuple[Receiver, ...] = ()
    logs: Logs = field(default_factory=Logs)

    @property
    def on(self) -> bool:
        """Whether anything is."""
        return self.level != "none"

    @property
    def has_logs(self) -> bool:
        """Whether what services write is kept."""
        return self.level == "full"

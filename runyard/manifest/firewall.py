"""Firewall of a platform, as data: what each instance may have of the host's connection tracking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Firewall:
    """What each instance's address may have of the host's connection tracking, and whether rules of ours hold it so."""

    enabled: bool = True
    # 1/32 of the kernel's usual table of 262,144, and near the 10,000 files that a process of an instance may open.
    flows: int = 8192
    # Of which two seconds' worth may come at once: a connection for each of the thousand requests of an instance.
    new_flows_per_second: int = 500

"""Rules over manifests, one topic a file; `RULES` holds all of them in the order of docs/policies.md."""

from __future__ import annotations

from policies.rule import Rule
from policies.rules import (
    accounts,
    calls,
    exposure,
    hosts,
    images,
    lifecycle,
    probes,
    protections,
    resources,
    secrets,
    waivers,
)

_TOPICS: tuple[Rule, ...] = (
    *images.RULES,
    *resources.RULES,
    *probes.RULES,
    *secrets.RULES,
    *exposure.RULES,
    *hosts.RULES,
    *lifecycle.RULES,
    *calls.RULES,
    *protections.RULES,
    *accounts.RULES,
)
WAIVABLE = frozenset(rule.id for rule in _TOPICS if rule.waivable)
RULES: tuple[Rule, ...] = (*_TOPICS, *waivers.make_rules(lambda: WAIVABLE))

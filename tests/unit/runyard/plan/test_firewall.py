"""Rules of the firewall: whom they hold, what they let through, and that a plan says them whole."""

from __future__ import annotations

import dataclasses

from runyard.manifest.model import Firewall, Platform, Tenant
from runyard.plan import Plan, plan
from runyard.plan.firewall import guarded_subnets, render_rules
from tests.unit.runyard.plan.example import manifests, service

LIMITS = Firewall(flows=100, new_flows_per_second=20)


def shop(stack: str = "dev", **platform: object) -> Plan:
    closed = service(name="closed", tenant="shop", egress="none")
    given = manifests(closed, tenants=(Tenant("shop", "10.9.0.0/24"), Tenant("default")))
    return plan(dataclasses.replace(given, platform=Platform(firewall=LIMITS, **platform)), stack)  # type: ignore[arg-type]


def rules(text: str) -> list[str]:
    """Give the rules of the chain, each without its comment."""
    chain = text.partition("policy accept;\n")[2]
    return [line.strip().partition(" comment ")[0] for line in chain.splitlines() if " comment " in line]


def test_rules_hold_the_networks_of_tenants_and_not_that_of_the_platform() -> None:
    subject = shop()
    subnets = guarded_subnets(subject.networks)
    assert "10.9.0.0/24" in subnets
    assert set(subnets) == {each.subnet for each in subject.networks} - {subject.platform_network.subnet}
    # Of `default`, of shop, and of shop where egress is off.
    assert len(subnets) == 3
    assert rules(render_rules(subject))[0] == f"ip saddr != {{ {', '.join(subnets)} }} accept"


def test_rules_count_what_is_new_before_anything_lets_it_through() -> None:
    host = shop().platform_network.host_address
    assert rules(render_rules(shop()))[1:] == [
        "ct status confirmed accept",
        "update @starts { ip saddr limit rate over 20/second burst 40 packets } counter drop",
        "add @flows { ip saddr ct count over 100 } counter drop",
        'ip protocol tcp ct timeout set "brief"',
        "fib daddr type != { local, broadcast, multicast } accept",
        f"ip daddr {host} tcp dport 80 accept",
        f"ip daddr {host} tcp dport 81 accept",
        "counter reject",
    ]


def test_rules_are_one_table_of_the_stack_and_name_it_in_each_comment() -> None:
    text = render_rules(shop("prod"))
    assert text.startswith("table ip runyard.prod {\n")
    assert text.count("table ip ") == text.count("\tchain ") == 1
    assert "policy = { syn_sent : 10, syn_recv : 10, " in text
    comments = [line.partition(' comment "')[2] for line in text.splitlines() if "comment" in line]
    assert len(comments) == len(rules(text)) == 9
    assert all(each.startswith("runyard.prod: ") for each in comments)


def test_equal_plans_make_equal_rules_and_a_tenant_more_is_another_text() -> None:
    assert render_rules(shop()) == render_rules(shop())
    assert render_rules(shop()) != render_rules(plan(manifests(platform=Platform(firewall=LIMITS))))

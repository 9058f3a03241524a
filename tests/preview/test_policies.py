from policies.part import PARTS, part_of
from policies.resource import CONTAINER, NETWORK, SERVICE, VOLUME, Resource
from policies.resource_rules import RESOURCE_RULES
from policies.rule import Context
from policies.stack import Stack
from runyard.accounts import Quotas
from runyard.manifest.model import Observability, Platform, Tenant
from runyard.plan import plan
from tests.unit.runyard.plan.example import container, manifests, service, template

MIB = 1024**2
PAIR = template(containers=(container(), container(name="side", port=None, cpu_millis=80)))
SHOP = Tenant("shop", quotas=Quotas(services=1, memory_bytes=100 * 1024 * MIB))


FULL = Platform(observability=Observability("full"), billing="on", console="on")


def as_registered(each):
    urn = f"urn:pulumi:dev::runyard::{each.type}::{each.name}"
    component = each.type == "pulumi:pulumi:Stack" or (each.type.startswith("runyard:") and ":index:" not in each.type)
    return Resource(each.type, each.name, urn, each.inputs, each.inputs, component=component)


def test_everything_that_the_platform_registers_keeps_every_rule(preview):
    given = manifests(
        service(), service(name="pair", tenant="shop", template=PAIR), tenants=(Tenant("default"), SHOP), platform=FULL
    )
    planned = plan(given)
    shown = preview(planned).all
    stack = Stack(Context(given, "2026-11-23", plan=planned), (), dict, dry_run=False)
    assert [finding.text() for each in shown for finding in stack.judge(as_registered(each))] == []
    assert {CONTAINER, NETWORK, VOLUME, SERVICE} <= {each.type for each in shown}
    parts = [part_of(each.inputs, "dev") for each in shown if each.type == CONTAINER]
    assert sorted(parts) == sorted(PARTS)


def test_platforms_parts_are_refused_under_another_stacks_name(preview):
    parts = [
        each
        for each in preview(plan(manifests(service(), platform=FULL))).of(CONTAINER)
        if each.inputs.get("networkMode")
    ]
    assert len(parts) == len(PARTS)
    for part in parts:
        ours = [rule for rule in RESOURCE_RULES if CONTAINER in rule.types]
        assert [message for rule in ours for message in rule.check(part.inputs, "other")]

from policies.handwritten import HANDWRITTEN_RULES
from policies.resource import CONTAINER, RESOURCE_RULES, VOLUME
from policies.stack import TENANT_NETWORK
from runyard.manifest.accounts import Quotas
from runyard.manifest.model import Tenant
from runyard.plan import plan
from tests.unit.runyard.plan.example import container, manifests, service, template


def counted(resources, count):
    assert len(resources) == count
    return resources


def test_everything_that_the_platform_registers_keeps_every_rule_of_resources(preview):
    pair = template(containers=(container(), container(name="side", port=None, cpu_millis=80)))
    shown = preview(plan(manifests(service(), service(name="pair", tenant="shop", template=pair))))
    told = [
        (each.name, message)
        for kind, count in ((CONTAINER, 5), (VOLUME, 2))
        for each in counted(shown.of(kind), count)
        for rule in (*RESOURCE_RULES, *HANDWRITTEN_RULES)
        if rule.type == kind
        for message in rule.check(each.inputs, "dev")
    ]
    assert told == []


def test_platforms_parts_are_refused_under_another_stacks_name(preview):
    parts = [each for each in preview(plan(manifests(service()))).of(CONTAINER) if each.inputs.get("networkMode")]
    assert len(parts) == 2
    for part in parts:
        ours = [rule for rule in RESOURCE_RULES if rule.type == CONTAINER]
        assert [message for rule in ours for message in rule.check(part.inputs, "other")]


def test_quotas_are_outputs_because_rules_of_stacks_see_nothing_else_of_a_component(preview):
    shop = Tenant("shop", quotas=Quotas(instances=3))
    shown = preview(plan(manifests(service(tenant="shop"), tenants=(shop,)))).of(TENANT_NETWORK)
    assert {each.name for each in shown if "quotas" in each.outputs} == {"tenant.shop"}

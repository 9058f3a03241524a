import json

import pulumi_docker
import pytest

from runyard import contracts
from runyard.accounts import Quotas
from runyard.contracts import (
    PathRoute,
    RevisionDocument,
    RolloutRequest,
    RouteRequest,
    TlsSettings,
    decode,
)
from runyard.gateway import GatewayConfig
from runyard.manifest.model import (
    EnvVar,
    Firewall,
    Gateway,
    KeyReference,
    Observability,
    Platform,
    Receiver,
    Tenant,
)
from runyard.manifest.observability import SecretKey
from runyard.manifest.routes import parse_routes
from runyard.manifest.tls import Acme, Tls
from runyard.names import HASH_LENGTH
from runyard.plan import keep_revisions, plan
from runyard.plan.firewall import guarded_subnets, render_rules
from tests.unit.runyard.plan.example import container, manifests, service, template

CONTAINER = "docker:index/container:Container"
OURS = "runyard:index:"


def planned(*services, **changes):
    digests = changes.pop("digests", None)
    return plan(manifests(*services, **changes), secret_digests=digests)


def configuration(shown):
    return decode(GatewayConfig, shown.named("gateway.configuration").inputs["configuration"])


def test_components_are_parented_and_named_from_their_component(preview):
    shown = preview(planned(service()))
    assert shown.named("gateway.container").parent == "gateway"
    assert shown.named("gateway.configuration").parent == "gateway"
    assert shown.named("orchestrator.sweep").parent == "orchestrator"
    for child in shown.all:
        if child.parent and not child.parent.startswith("runyard-"):
            assert child.name.startswith(child.parent) or child.type == OURS + "SigningKey", child


def test_components_register_their_outputs(preview):
    shown = preview(planned(service()))
    outputs = {each.type: each.outputs for each in shown.all if each.type.startswith("runyard:") and each.outputs}
    assert outputs == {
        "runyard:network:Network": {"network_name", "host_address"},
        "runyard:gateway:Gateway": {"container_name"},
        "runyard:orchestrator:Orchestrator": {"container_name"},
        "runyard:standby:Standby": {"container_name"},
        "runyard:filter:Filter": {"container_name"},
        "runyard:spare:Spare": {"container_name"},
        "runyard:firewall:Firewall": {"container_name"},
    }


def test_service_is_one_resource_with_its_revision_its_route_and_its_rollout(preview):
    subject = planned(service(uses=("cart",)), service(name="cart"))
    shown = preview(subject)
    assert {each.name for each in shown.of(OURS + "Service")} == {"default.cart", "default.hello"}
    inputs = shown.named("default.hello").inputs
    (made,) = [each for each in subject.services if each.name == "hello"]
    assert (inputs["stack"], inputs["tenant"], inputs["service"]) == ("dev", "default", "hello")
    assert decode(RevisionDocument, inputs["document"]) == made.revision.document
    assert decode(RouteRequest, inputs["route"]) == made.route
    assert decode(RolloutRequest, inputs["rollout"]) == made.rollout
    assert json.loads(inputs["history"]) == [made.revision.identity]
    assert "values" not in inputs


def test_document_is_hidden_from_previews_as_the_facts_say_it_in_the_manifests_words(preview):
    subject = preview(planned(service()))
    assert {each.name: each.hidden for each in subject.all if each.hidden} == {"default.hello": ["document"]}


def test_texts_of_a_service_say_nothing_that_is_as_by_default(preview):
    # Or a newer default of ours would change every service.
    inputs = preview(planned(service())).named("default.hello").inputs
    made = planned(service()).services[0].revision.document
    assert inputs["document"] == contracts.encode_differing(made)
    assert "pids_limit" not in inputs["document"]


def test_service_shows_the_manifests_facts_and_its_network(preview):
    subject = service(template=template(containers=(container(env=(EnvVar("LOG_LEVEL", "info"),)),)))
    facts = json.loads(preview(planned(subject)).named("default.hello").inputs["facts"])
    assert facts["containers"]["hello"]["env"] == {"LOG_LEVEL": "info"}
    assert facts["timeoutSeconds"] == 300
    assert facts["network"] == "runyard.dev.tenant.default"


def test_revisions_are_signed_with_the_stacks_key_which_is_secret_and_known_to_the_orchestrator(preview):
    shown = preview(planned(service()))
    assert shown.named("key").type == OURS + "SigningKey"
    inputs = shown.named("default.hello")
    assert inputs.inputs["key"] == "PRIVATE"
    assert "RUNYARD_PUBLIC_KEY=PUBLIC" in shown.named("orchestrator.container").inputs["envs"]
    # No manifest can change it, and no preview should show it as if one could.
    assert "RUNYARD_PUBLIC_KEY" not in shown.named("orchestrator").inputs["environment"]


def test_secrets_values_are_secret_and_by_their_digests(preview):
    token = EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest"))
    subject = service(template=template(containers=(container(env=(EnvVar("A", "b"), token)),)))
    given = planned(subject, digests={"default": {"api/latest": "f" * 64}})
    shown = preview(given, {"default": {"api/latest": "s3cret", "other/latest": "unused"}})
    made = shown.named("default.hello")
    assert json.loads(made.inputs["values"]) == {"f" * 64: "s3cret"}
    assert "values" in made.secret
    elsewhere = [{key: value for key, value in each.inputs.items() if key != "values"} for each in shown.all]
    assert "s3cret" not in json.dumps(elsewhere, default=str)


def test_service_waits_for_the_parts_and_the_claim_for_every_service(preview):
    shown = preview(planned(service(), service(name="cart")))
    assert {"gateway.container", "orchestrator.container"} <= set(shown.named("default.hello").depends_on)
    claim = shown.named("claim")
    assert (claim.type, claim.inputs["claim"]) == (OURS + "Claim", '{"stack":"dev"}')
    assert {"default.hello", "default.cart", "orchestrator.container"} <= set(claim.depends_on)


def test_networks_outlive_the_service_whose_revisions_are_on_them(preview):
    given = manifests(service(tenant="shop"), service(name="closed", egress="none"))
    pasts = {"shop/hello": [plan(manifests(service(tenant="shop", egress="none"))).services[0].revision]}
    shown = preview(keep_revisions(plan(given), given, pasts))
    bridges = {"platform.bridge", "tenant.default.bridge", "tenant.shop.bridge", "tenant.shop.internal.bridge"}
    waits = {name: bridges & set(shown.named(name).depends_on) for name in ("shop.hello", "default.closed")}
    assert waits["shop.hello"] == {"tenant.shop.bridge", "tenant.shop.internal.bridge"}
    assert "tenant.default.internal.bridge" in shown.named("default.closed").depends_on


def test_sweep_outlives_the_orchestrator_and_goes_before_the_networks(preview):
    shown = preview(planned(service()))
    assert "orchestrator.sweep" in shown.named("orchestrator.container").depends_on
    # Instances have the launcher's volume, so it must stand longer than the last of them.
    assert "orchestrator.launcher" in shown.named("orchestrator.sweep").depends_on


def test_stand_by_is_told_what_the_orchestrator_is_told_and_goes_before_it_and_its_sweep(preview):
    shown = preview(planned(service()))
    one, other = (shown.named(f"{part}.container") for part in ("orchestrator", "standby"))
    assert {"orchestrator.container", "orchestrator.sweep", "orchestrator.volume"} <= set(other.depends_on)
    assert {key for key, value in one.inputs.items() if value != other.inputs[key]} == {
        *("name", "labels", "envs", "memory", "memorySwap"),
    }
    assert set(one.inputs["envs"]) ^ set(other.inputs["envs"]) == {
        *("RUNYARD_PART=orchestrator", "RUNYARD_PART=standby"),
    }
    assert "RUNYARD_PARTS=gateway,orchestrator,standby,filter,spare,firewall" in one.inputs["envs"]


def test_networks_are_bridges_without_traffic_between_containers(preview):
    bridges = preview(planned(service())).of("docker:index/network:Network")
    assert {each.name for each in bridges} == {"platform.bridge", "tenant.default.bridge"}
    for bridge in bridges:
        assert bridge.inputs["options"] == {"com.docker.network.bridge.enable_icc": "false"}
        assert bridge.inputs["internal"] is False


def test_only_the_filter_and_its_spare_have_the_engine_socket(preview):
    holders = [
        each.name
        for each in preview(planned(service())).of(CONTAINER)
        if "/var/run/docker.sock" in json.dumps(each.inputs.get("volumes", []))
    ]
    assert sorted(holders) == ["filter.container", "spare.container"]


def test_firewall_keeps_the_rules_of_the_plan_that_were_tried_before_it(preview):
    subject = planned(service())
    shown = preview(subject)
    rules = render_rules(subject)
    tried = shown.of(OURS + "FirewallRules")
    assert [(each.name, each.parent) for each in tried] == [("firewall.rules", "firewall")]
    keeper = shown.named("firewall.container")
    assert tried[0].inputs == {"stack": "dev", "image": keeper.inputs["image"], "rules": rules}
    # It starts after them, and so goes before them: nobody is left to put back what they remove.
    assert "firewall.rules" in keeper.depends_on
    assert {"RUNYARD_STACK=dev", f"RUNYARD_RULES={rules}"} == set(keeper.inputs["envs"])


def test_firewall_alone_may_change_the_hosts_network_and_has_nothing_else_of_it(preview):
    containers = preview(planned(service())).of(CONTAINER)
    added = {each.name: each.inputs["capabilities"].get("adds", []) for each in containers}
    assert [name for name, adds in added.items() if "CAP_NET_ADMIN" in adds] == ["firewall.container"]
    (keeper,) = (each for each in containers if each.name == "firewall.container")
    assert keeper.inputs["capabilities"] == {"drops": ["ALL"], "adds": ["CAP_NET_ADMIN"]}
    assert keeper.inputs.get("volumes", []) == []
    assert keeper.inputs["readOnly"] is True


def test_firewall_shows_its_limits_and_whom_they_hold(preview):
    platform = Platform(firewall=Firewall(flows=100, new_flows_per_second=20))
    subject = planned(service(egress="none"), platform=platform)
    shown = preview(subject).named("firewall").inputs
    assert (shown["flowsPerInstance"], shown["newFlowsPerSecond"]) == (100, 20)
    assert shown["networks"] == list(guarded_subnets(subject.networks))
    # The rules themselves are shown as a hash: what they say is above.
    assert len(shown["environment"]["RUNYARD_RULES"]) == HASH_LENGTH


def test_platform_without_a_firewall_declares_nothing_of_it(preview):
    shown = preview(planned(service(), platform=Platform(firewall=Firewall(enabled=False))))
    assert [each.name for each in shown.all if each.name.startswith("firewall")] == []


def test_services_wait_for_the_firewall(preview):
    assert "firewall.container" in preview(planned(service())).named("default.hello").depends_on


def test_gateway_listens_where_the_platform_says(preview):
    platform = Platform(gateway=Gateway(address="0.0.0.0", port=8088))
    shown = preview(planned(platform=platform))
    listeners = configuration(shown).listeners
    assert (listeners[0].kind, listeners[0].address) == ("edge", "0.0.0.0:8088")
    assert {each.kind for each in listeners[1:]} == {"internal"}


def test_gateway_starts_with_a_configuration_that_was_tested_where_it_listens(preview):
    shown = preview(planned())
    assert "gateway.configuration" in shown.named("gateway.container").depends_on
    assert {"platform.bridge", "gateway.requests", "gateway.volume"} == set(
        shown.named("gateway.configuration").depends_on
    )


def test_timeout_of_the_gateway_is_no_matter_of_its_container(preview):
    before, after = (preview(planned(platform=Platform(gateway=Gateway(hold_timeout_s=each)))) for each in (1, 2))
    assert before.named("gateway.container").inputs == after.named("gateway.container").inputs
    changed = before.named("gateway.configuration").inputs.items() ^ after.named("gateway.configuration").inputs.items()
    assert {key for key, _ in changed} == {"configuration", "digest"}


def test_gateway_takes_http2_from_instances_and_where_the_platform_says(preview):
    asked = Platform(gateway=Gateway(h2c_port=3080))
    shown = [configuration(preview(each)) for each in (planned(), planned(platform=asked))]
    ports = [[each.address.rpartition(":")[2] for each in one.listeners if each.http2] for one in shown]
    assert ports == [["81"], ["3080", "81"]]


def test_route_shows_its_paths(preview):
    routes = parse_routes("shop.example.com/api -> /, shop.example.com")
    inputs = preview(planned(service(routes=routes))).named("default.hello").inputs
    assert decode(RouteRequest, inputs["route"]).paths == (PathRoute("shop.example.com", "/api", "/"),)


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        ("container", pulumi_docker.Container),
        ("network", pulumi_docker.Network),
        ("volume", pulumi_docker.Volume),
    ],
)
def test_docker_resources_are_said_in_the_words_of_the_providers_own_library(preview, kind, typed):
    known = {name for name, each in vars(typed).items() if isinstance(each, property)}
    # Its getter has the provider's spelling of a name that is of several words.
    known |= {getattr(each.fget, "_pulumi_name", "") for each in vars(typed).values() if isinstance(each, property)}
    shown = preview(planned(service())).of(f"docker:index/{kind}:{kind.title()}")
    assert shown
    assert {key for each in shown for key in each.inputs} <= known


PAIR = {"shop": {"chain": "CHAIN", "key": "OWN KEY"}}


def test_certificates_of_the_configuration_are_secret_resources_after_the_parts(preview):
    platform = Platform(gateway=Gateway(tls=Tls("files")))
    shown = preview(planned(service(), platform=platform), certificates=PAIR)
    certificate = shown.named("certificate.shop")
    assert certificate.type == OURS + "Certificate"
    assert (certificate.inputs["name"], certificate.inputs["chain"], certificate.inputs["key"]) == (
        "shop",
        "CHAIN",
        "OWN KEY",
    )
    assert {"chain", "key"} <= certificate.secret
    assert {"gateway.container", "orchestrator.container"} <= set(certificate.depends_on)
    for part in ("gateway.container", "orchestrator.container"):
        assert "OWN KEY" not in json.dumps(shown.named(part).inputs)


def told_by(*receivers):
    return planned(service(), platform=Platform(observability=Observability("basic", receivers=receivers)))


def test_receivers_are_one_secret_resource_after_alertmanager_and_shown_without_what_is_secret(preview):
    subject = told_by(Receiver("pager", "webhook", url_from=SecretKey("pager")))
    shown = preview(subject, secrets={"": {"pager/latest": "https://pager.example/TOKEN"}})
    (receivers,) = shown.of(OURS + "Receivers")
    assert receivers.secret == {"configuration"}
    assert "https://pager.example/TOKEN" in receivers.inputs["configuration"]
    assert json.loads(receivers.inputs["receivers"]) == {"pager": "webhook [secret pager/latest]"}
    assert "alertmanager.container" in receivers.depends_on
    for each in shown.all:
        assert each is receivers or "TOKEN" not in json.dumps(each.inputs)


def test_stack_that_tells_nobody_has_no_receivers_and_its_alertmanager_all_the_same(preview):
    shown = preview(told_by())
    assert shown.of(OURS + "Receivers") == []
    assert shown.named("alertmanager.container").inputs["networkMode"] == "host"


def test_prometheus_tells_alerts_to_the_stacks_alertmanager_and_judges_by_its_tenants_quotas(preview):
    platform = Platform(observability=Observability("basic", alertmanager_port=4093))
    tenants = (Tenant("default", quotas=Quotas(instances=9)),)
    shown = preview(planned(service(), platform=platform, tenants=tenants))
    told = dict(each.split("=", 1) for each in shown.named("prometheus.container").inputs["envs"])
    assert "127.0.0.1:4093" in told["RUNYARD_CONFIGURATION"].partition("alertmanagers")[2]
    assert "expr: vector(9.0)" in told["RUNYARD_ALERTS"]
    # The longest that the kernel lets a program be given.
    assert max(map(len, told.values())) < 128 * 1024


def test_without_tls_certificates_are_not_declared(preview):
    assert preview(planned(service()), certificates=PAIR).of(OURS + "Certificate") == []


def test_orchestrator_is_told_where_certificates_come_from(preview):
    tls = Tls("acme", acme=Acme("https://acme.example/dir", ("a@b.c",), "PEM"))
    shown = preview(planned(service(), platform=Platform(domain="example.com", gateway=Gateway(tls=tls))))
    (said,) = [each for each in shown.named("orchestrator.container").inputs["envs"] if each.startswith("RUNYARD_TLS=")]
    assert decode(TlsSettings, said.partition("=")[2]) == TlsSettings(
        "acme", "example.com", "https://acme.example/dir", ("a@b.c",), "PEM"
    )
    plain = preview(planned(service())).named("orchestrator.container").inputs["envs"]
    assert not [each for each in plain if "TLS" in each]


def test_claim_stays_what_it_was_while_a_service_has_failed_and_is_declared_all_the_same(preview):
    planned = plan(manifests(service(), service(name="cart", tenant="shop")))
    whole, failed = preview(planned).named("claim"), preview(planned, failing=["shop.cart"]).named("claim")
    assert (whole.ignored, failed.ignored) == ([], ["claim"])
    assert set(whole.depends_on) - set(failed.depends_on) == {"shop.cart"}
    assert "default.hello" in failed.depends_on

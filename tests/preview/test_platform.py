import json

import pytest

from components import request
from runyard.contracts import PathRoute, RouteRequest, TlsSettings, decode
from runyard.manifest.model import Container, EnvVar, Gateway, KeyReference, Platform
from runyard.manifest.routes import parse_routes
from runyard.manifest.tls import Acme, Tls
from runyard.plan import plan
from runyard.plan.revision import TEMPLATE_FORMAT
from tests.unit.runyard.plan.example import container, manifests, service, template

CONTAINER = "docker:index/container:Container"
DYNAMIC = "pulumi-python:dynamic/runyard:"


def planned(*services, **changes):
    return plan(manifests(*services, **changes))


def test_components_are_parented_and_named_from_their_component(preview):
    shown = preview(planned(service()))
    revision = shown.of("runyard:revision:Revision")[0]
    assert shown.named("default.hello.route").parent == "default.hello"
    assert shown.named("default.hello.rollout").parent == "default.hello"
    assert revision.parent == "default.hello"
    assert shown.named(f"{revision.name}.hello").parent == revision.name
    assert shown.named("gateway.container").parent == "gateway"
    assert shown.named("orchestrator.sweep").parent == "orchestrator"
    for child in shown.all:
        if child.parent and not child.parent.startswith("runyard-"):
            assert child.name.startswith(child.parent) or child.type == "runyard:revision:Revision", child


def test_components_register_their_outputs(preview):
    shown = preview(planned(service()))
    outputs = {each.type: each.outputs for each in shown.all if each.type.startswith("runyard:")}
    assert outputs == {
        "runyard:network:Network": {"network_name", "host_address"},
        "runyard:gateway:Gateway": {"container_name"},
        "runyard:orchestrator:Orchestrator": {"container_name"},
        "runyard:revision:Revision": {"revision_name"},
        "runyard:service:Service": {"url", "revision_name"},
    }


def test_template_is_created_and_never_started(preview):
    (template_,) = [each for each in preview(planned(service())).of(CONTAINER) if each.name.endswith(".hello")]
    assert (template_.inputs["start"], template_.inputs["mustRun"]) == (False, False)


def test_template_is_hardened(preview):
    (template_,) = [each for each in preview(planned(service())).of(CONTAINER) if each.name.endswith(".hello")]
    inputs = template_.inputs
    assert inputs["capabilities"] == {"drops": ["ALL"]}
    assert inputs["securityOpts"] == ["no-new-privileges"]
    assert inputs["readOnly"] is True
    assert inputs["memory"] == inputs["memorySwap"] == 512
    assert (inputs["cpuPeriod"], inputs["cpuQuota"]) == (100_000, 100_000)
    assert "ports" not in inputs
    assert "volumes" not in inputs
    assert "privileged" not in inputs


@pytest.mark.parametrize(("millis", "quota"), [(80, 8000), (250, 25_000), (1000, 100_000), (8000, 800_000)])
def test_template_cpu_is_a_share_of_the_kernels_period(preview, millis, quota):
    subject = service(template=template(containers=(container(cpu_millis=millis),)))
    (template_,) = [each for each in preview(planned(subject)).of(CONTAINER) if each.name.endswith(".hello")]
    assert template_.inputs["cpuQuota"] == quota


def test_template_memory_is_rounded_up_to_what_the_provider_can_say(preview):
    subject = service(template=template(containers=(container(memory_bytes=128 * 1024**2 + 1),)))
    (template_,) = [each for each in preview(planned(subject)).of(CONTAINER) if each.name.endswith(".hello")]
    assert template_.inputs["memory"] == 129


def test_sidecars_have_templates_of_their_own(preview):
    subject = service(template=template(containers=(container(), Container("logger", "runyard/hello:1"))))
    names = {each.name.rsplit(".", 1)[1] for each in preview(planned(subject)).of(CONTAINER)}
    assert names == {"hello", "logger", "container"}


def test_environment_with_a_secret_is_secret_and_one_without_is_not(preview):
    token = EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest"))
    subject = service(template=template(containers=(container(env=(EnvVar("A", "b"), token)),)))
    shown = preview(planned(subject), {"default": {"api/latest": "s3cret"}})
    (template_,) = [each for each in shown.of(CONTAINER) if each.name.endswith(".hello")]
    assert "TOKEN=s3cret" in template_.inputs["envs"]
    assert "envs" in template_.secret
    elsewhere = [each.inputs for each in shown.all if each is not template_]
    assert "s3cret" not in json.dumps(elsewhere, default=str)
    plain = preview(planned(service()))
    assert all("envs" not in each.secret for each in plain.of(CONTAINER))


def test_rollout_waits_for_templates_and_the_platform_and_the_route_for_it(preview):
    shown = preview(planned(service()))
    rollout = shown.named("default.hello.rollout")
    assert {"gateway.container", "orchestrator.container"} <= set(rollout.depends_on)
    assert any(each.endswith(".hello") for each in rollout.depends_on)
    assert shown.named("default.hello.route").depends_on == ["default.hello.rollout"]


def test_sweep_outlives_the_orchestrator_and_goes_before_the_networks(preview):
    shown = preview(planned(service()))
    assert "orchestrator.sweep" in shown.named("orchestrator.container").depends_on


def test_networks_are_bridges_without_traffic_between_containers(preview):
    bridges = preview(planned(service())).of("docker:index/network:Network")
    assert {each.name for each in bridges} == {"platform.bridge", "tenant.default.bridge"}
    for bridge in bridges:
        assert bridge.inputs["options"] == {"com.docker.network.bridge.enable_icc": "false"}
        assert bridge.inputs["internal"] is False


def test_only_the_orchestrator_has_the_engine_socket(preview):
    holders = [
        each.name
        for each in preview(planned(service())).of(CONTAINER)
        if "/var/run/docker.sock" in json.dumps(each.inputs.get("volumes", []))
    ]
    assert holders == ["orchestrator.container"]


def test_gateway_listens_where_the_platform_says(preview):
    platform = Platform(gateway=Gateway(address="0.0.0.0", port=8088))
    shown = preview(planned(platform=platform))
    listeners = shown.named("gateway.configuration").inputs["listeners"]
    assert (listeners[0]["kind"], listeners[0]["address"]) == ("edge", "0.0.0.0:8088")
    assert {each["kind"] for each in listeners[1:]} == {"internal"}


def test_gateway_starts_with_a_configuration_that_was_tested_where_it_listens(preview):
    shown = preview(planned())
    assert "gateway.configuration" in shown.named("gateway.container").depends_on
    assert {"platform.bridge", "gateway.volume"} == set(shown.named("gateway.configuration").depends_on)


def test_timeout_of_the_gateway_is_no_matter_of_its_container(preview):
    before, after = (preview(planned(platform=Platform(gateway=Gateway(hold_timeout_s=each)))) for each in (1, 2))
    assert before.named("gateway.container").inputs == after.named("gateway.container").inputs
    changed = before.named("gateway.configuration").inputs.items() ^ after.named("gateway.configuration").inputs.items()
    assert {key for key, _ in changed} == {"hold_timeout_ms", "digest"}


def test_gateway_takes_http2_from_instances_and_where_the_platform_says(preview):
    asked = Platform(gateway=Gateway(h2c_port=3080))
    shown = [preview(each).named("gateway.configuration").inputs for each in (planned(), planned(platform=asked))]
    ports = [[each["address"].rpartition(":")[2] for each in one["listeners"] if each["http2"]] for one in shown]
    assert ports == [["81"], ["3080", "81"]]


def test_route_shows_paths_and_survives_the_way_through_pulumi(preview):
    routes = parse_routes("shop.example.com/api -> /, shop.example.com")
    inputs = preview(planned(service(routes=routes))).named("default.hello.route").inputs
    assert request.message(RouteRequest, inputs).paths == (PathRoute("shop.example.com", "/api", "/"),)


def test_route_and_rollout_show_the_requests_field_by_field(preview):
    shown = preview(planned(service(uses=("cart",)), service(name="cart")))
    assert {each.inputs["service"] for each in shown.of(f"{DYNAMIC}Route")} == {"cart", "hello"}
    assert shown.named("default.hello.route").inputs["hosts"] == ["hello.localhost"]
    (share,) = shown.named("default.hello.rollout").inputs["traffic"]
    assert (share["percent"], share["tag"]) == (100, "")


def test_service_shows_the_manifests_facts(preview):
    subject = service(template=template(containers=(container(env=(EnvVar("LOG_LEVEL", "info"),)),)))
    facts = preview(planned(subject)).named("default.hello").inputs
    assert facts["containers"]["hello"]["env"] == {"LOG_LEVEL": "info"}
    assert facts["timeoutSeconds"] == 300


# What components.revision gives every template alike, by template format: change one, and the format must go up.
FIXED = {
    1: {
        "capabilities": {"drops": ["ALL"]},
        "cpuPeriod": 100_000,
        "logDriver": "json-file",
        "logOpts": {"max-size": "10m", "max-file": "3"},
        "mustRun": False,
        "readOnly": True,
        "restart": "no",
        "securityOpts": ["no-new-privileges"],
        "start": False,
        "ulimits": [{"name": "nofile", "soft": 10_000, "hard": 10_000}],
    }
}
PLANNED = {"name", "image", "envs", "memory", "memorySwap", "cpuQuota", "tmpfs", "hosts", "networksAdvanced", "labels"}


def test_template_format_stands_for_what_every_template_has_alike(preview):
    (template_,) = [each for each in preview(planned(service())).of(CONTAINER) if each.name.endswith(".hello")]
    assert {key: value for key, value in template_.inputs.items() if key not in PLANNED} == FIXED[TEMPLATE_FORMAT]


PAIR = {"shop": {"chain": "CHAIN", "key": "KEY"}}


def test_certificates_of_the_configuration_are_secret_resources_after_the_parts(preview):
    platform = Platform(gateway=Gateway(tls=Tls("files")))
    shown = preview(planned(service(), platform=platform), certificates=PAIR)
    certificate = shown.named("certificate.shop")
    assert certificate.type == DYNAMIC + "Certificate"
    assert (certificate.inputs["name"], certificate.inputs["chain"], certificate.inputs["key"]) == (
        "shop",
        "CHAIN",
        "KEY",
    )
    assert {"chain", "key"} <= certificate.secret
    assert {"gateway.container", "orchestrator.container"} <= set(certificate.depends_on)
    for part in ("gateway.container", "orchestrator.container"):
        assert "KEY" not in json.dumps(shown.named(part).inputs)


def test_without_tls_certificates_are_not_declared(preview):
    assert preview(planned(service()), certificates=PAIR).of(DYNAMIC + "Certificate") == []


def test_orchestrator_is_told_where_certificates_come_from(preview):
    tls = Tls("acme", acme=Acme("https://acme.example/dir", ("a@b.c",), "PEM"))
    shown = preview(planned(service(), platform=Platform(domain="example.com", gateway=Gateway(tls=tls))))
    (said,) = [each for each in shown.named("orchestrator.container").inputs["envs"] if each.startswith("RUNYARD_TLS=")]
    assert decode(TlsSettings, said.partition("=")[2]) == TlsSettings(
        "acme", "example.com", "https://acme.example/dir", ("a@b.c",), "PEM"
    )
    plain = preview(planned(service())).named("orchestrator.container").inputs["envs"]
    assert not [each for each in plain if "TLS" in each]

"""What an instance reaches and what it does not: other tenants, the platform's ports, the engine, the world."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.orchestrator.engine.docker.seccomp import SECURITY_OPTION
from tests.harness.client import Answer
from tests.harness.stack import Stack, docker, inspect, new_stack, service

# A packet that a firewall drops has no answer; one on this host takes well under a millisecond.
DROPPED_MS = 1500
# Each service has one instance, so that there is one to look at, whatever the load.
ONE = {"autoscaling.knative.dev/maxScale": "1"}


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack of two tenants that both have `web` and `cart`; alpha's `web` may call its `cart`."""
    with new_stack(tmp_path_factory, "tenants") as made:
        for tenant in ("alpha", "beta"):
            uses = {"runyard.dev/uses": "cart"} if tenant == "alpha" else {}
            made.write(f"{tenant}-web", service("web", namespace=tenant, annotations=uses, template=ONE))
            made.write(f"{tenant}-cart", service("cart", namespace=tenant, template=ONE))
        closed = service("closed", namespace="alpha", annotations={"runyard.dev/egress": "none"}, template=ONE)
        made.write("closed", closed)
        made.up()
        yield made


def call(stack: Stack, caller: str, url: str, host: str = "") -> Answer:
    return stack.get(f"{caller}.localhost", f"/call?url={url}&host={host}&timeout_ms={DROPPED_MS}")


def instance_of(stack: Stack, tenant: str, name: str) -> str:
    (found,) = [each for each in stack.names("instance", running=True) if f".{tenant}.{name}-" in each]
    return found


def address_of(stack: Stack, tenant: str, name: str) -> str:
    (network,) = inspect(instance_of(stack, tenant, name))["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def kind_of(answer: Answer) -> str:
    """Give the kind of the problem that the gateway answered the caller with."""
    told = answer.json()
    assert told["status"] == 403, told
    return str(told["body"]["type"]).removeprefix("urn:runyard:problem:")


def test_services_of_one_name_in_two_tenants_answer_at_hosts_of_their_own(tenants: Stack):
    answers = {tenant: tenants.get(f"cart.{tenant}.localhost").json()["instance"] for tenant in ("alpha", "beta")}
    assert answers["alpha"] != answers["beta"]
    for tenant, hostname in answers.items():
        assert inspect(instance_of(tenants, tenant, "cart"))["Config"]["Hostname"] == hostname


def test_name_of_a_callee_is_the_callers_own_tenants(tenants: Stack):
    own = tenants.get("cart.alpha.localhost").json()
    assert call(tenants, "web.alpha", "http://cart.internal/").json()["body"] == own


@pytest.mark.parametrize(
    ("caller", "host", "kind"),
    [
        ("web.beta", "cart.internal", "undeclared-call"),
        ("web.alpha", "web.internal", "undeclared-call"),
        ("web.alpha", "cart.beta.internal", "undeclared-call"),
        ("web.alpha", "cart.beta.localhost", "public-host"),
        ("closed.alpha", "cart.internal", "undeclared-call"),
    ],
)
def test_host_header_opens_no_way_to_what_is_not_declared(tenants: Stack, caller: str, host: str, kind: str):
    assert kind_of(call(tenants, caller, f"http://{tenants.host_address('platform')}/", host)) == kind


@pytest.mark.parametrize(
    ("caller", "target"),
    [
        ("web.alpha", ("beta", "cart")),
        ("web.alpha", ("alpha", "cart")),
        ("web.alpha", ("alpha", "closed")),
        ("closed.alpha", ("beta", "cart")),
        ("closed.alpha", ("alpha", "cart")),
    ],
)
def test_no_instance_is_reached_by_its_address(tenants: Stack, caller: str, target: tuple[str, str]):
    assert call(tenants, caller, f"http://{address_of(tenants, *target)}:8080/").json()["status"] == 0


@pytest.mark.parametrize("network", ["tenant.alpha", "platform"])
def test_ports_of_the_platform_do_not_answer_instances(tenants: Stack, network: str):
    address = tenants.host_address(network)
    for port, path in ((tenants.port, "/"), (tenants.orchestrator_port, "/v1/status"), (2375, "/version")):
        told = call(tenants, "web.alpha", f"http://{address}:{port}{path}", "cart.beta.localhost").json()
        assert "connection refused" in told["error"], (port, told)


def test_instance_without_egress_answers_and_reaches_nothing_outside_the_host(tenants: Stack):
    assert tenants.get("closed.alpha.localhost").status == 200
    (network,) = inspect(instance_of(tenants, "alpha", "closed"))["NetworkSettings"]["Networks"]
    assert json.loads(docker("network", "inspect", network))[0]["Internal"] is True
    # An address of nobody (RFC 5737). That the network is internal is what tells a closed way from a lost packet.
    assert call(tenants, "closed.alpha", "http://198.51.100.1/").json()["status"] == 0


def test_edge_on_every_address_still_refuses_instances(tenants: Stack):
    address = tenants.host_address("tenant.alpha")
    spec = {"port": tenants.port, "address": "0.0.0.0"}
    calls = [("web.alpha", "cart.beta.localhost"), ("web.beta", "cart.alpha.localhost")]
    tenants.platform(gateway=spec)
    tenants.up()
    for caller, host in calls:
        told = call(tenants, caller, f"http://{address}:{tenants.port}/", host).json()
        assert "connection refused" in told["error"], told
    # And where no firewall stands before it, so does the gateway.
    tenants.platform(gateway=spec, firewall={"enabled": False})
    tenants.up()
    for caller, host in calls:
        assert kind_of(call(tenants, caller, f"http://{address}:{tenants.port}/", host)) == "public-host"
    tenants.platform(gateway=spec)
    tenants.up()


def test_instance_holds_no_right_socket_or_disk_of_the_host(tenants: Stack):
    described = inspect(instance_of(tenants, "alpha", "web"))
    host = described["HostConfig"]
    assert described["Mounts"] == []
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None)
    assert (host["Privileged"], host["ReadonlyRootfs"], host["PidsLimit"]) == (False, True, 256)
    assert host["SecurityOpt"] == ["no-new-privileges", SECURITY_OPTION]
    assert [host[each] for each in ("PidMode", "UTSMode", "UsernsMode")] == ["", "", ""]
    assert host["IpcMode"] == "private"
    assert not host["Devices"]
    assert not host["PortBindings"]


def test_volume_of_an_image_takes_no_disk_of_the_host(tenants: Stack, tmp_path: Path):
    (tmp_path / "Dockerfile").write_text("FROM runyard/hello:1\nVOLUME /data\n")
    docker("build", "--quiet", "--tag", "runyard/e2e-volume:1", str(tmp_path))
    try:
        tenants.write("volume", service("volume", image="runyard/e2e-volume:1", namespace="beta", template=ONE))
        tenants.up()
        described = inspect(instance_of(tenants, "beta", "volume"))
        assert described["Mounts"] == []
        assert "/data" in described["HostConfig"]["Tmpfs"]
        tenants.remove("volume")
        tenants.up()
    finally:
        docker("image", "rm", "--force", "runyard/e2e-volume:1")


def test_listener_of_the_host_on_every_address_is_out_of_reach(tenants: Stack):
    for caller, network in (("web.alpha", "tenant.alpha"), ("closed.alpha", "tenant.alpha.internal")):
        with socket.create_server(("0.0.0.0", 0)) as listener:
            target = f"http://{tenants.host_address(network)}:{listener.getsockname()[1]}/"
            told = call(tenants, caller, target).json()
            assert "connection refused" in told["error"], told

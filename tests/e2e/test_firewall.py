"""The host's packet filter under a real stack: what an instance may begin, and that nothing of it stays behind."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from runyard.host import Engine
from runyard.host.firewall import FirewallHost
from runyard.images import image_reference
from runyard.plan.firewall import BURST_S, ENDED_S
from tests.harness.stack import Stack, docker, firewall_table, inspect, new_stack, service
from tests.harness.waiting import until

# Small enough that a test reaches both in seconds.
FLOWS, RATE = 300, 100
CONNTRACK = Path("/proc/net/nf_conntrack")
ONE = {"autoscaling.knative.dev/maxScale": "1"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with narrow limits, of an instance that attacks, its neighbour, and one without egress."""
    with new_stack(tmp_path_factory, "guarded") as made:
        limits = {"flowsPerInstance": FLOWS, "newFlowsPerSecond": RATE}
        made.platform(gateway={"port": made.port}, firewall=limits)
        made.write("attacker", service("attacker", template=ONE))
        made.write("neighbour", service("neighbour", template=ONE))
        made.write("closed", service("closed", annotations={"runyard.dev/egress": "none"}, template=ONE))
        made.up()
        yield made
        made.unlock()
        made.destroy()
        assert firewall_table(made.name) == "", "rules are left after the stack is gone"


def refused(stack: Stack, comment: str) -> int:
    """Give how many packets the rule with this comment has refused."""
    (line,) = [line for line in firewall_table(stack.name).splitlines() if f'"runyard.{stack.name}: {comment}"' in line]
    return int(line.partition("counter packets ")[2].split()[0])


def instance_of(stack: Stack, name: str) -> str:
    (found,) = [each for each in stack.names("instance", running=True) if f".{name}-" in each]
    return found


def address_of(stack: Stack, name: str) -> str:
    (network,) = inspect(instance_of(stack, name))["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def flood(stack: Stack, name: str, protocol: str, target: str, count: int) -> None:
    """Begin `count` connections from the instance's own network, of ports 20000 and up or of one that is given."""
    host, _, port = target.partition(":")
    where = f"/dev/{protocol}/{host}/{port or '$((20000 + n))'}"
    script = f"for ((n = 0; n < {count}; n++)); do (exec 3<>{where} && echo hello >&3) 2>/dev/null; done"
    if protocol == "udp":
        # One process: a packet each from a socket of its own.
        script = f"for ((n = 0; n < {count}; n++)); do echo hello >{where}; done 2>/dev/null"
    container = ("run", "--rm", "--network", f"container:{instance_of(stack, name)}", "--cap-drop", "ALL")
    docker(*container, "--entrypoint", "bash", image_reference("firewall"), "-c", script)


def tracked(address: str) -> int:
    """Count what the host tracks that this address began: the first `src=` of a line is who did."""
    lines = CONNTRACK.read_text().splitlines()
    return sum(line.partition(" src=")[2].partition(" ")[0] == address for line in lines)


def checked(stack: Stack) -> str:
    """Have `runyard verify` look at the firewall, and give what it says of it."""
    checks = {each["name"]: each for each in json.loads(stack.verify("-o", "json").stdout)["checks"]}
    found = checks["test_firewall_holds_instances_to_their_limits_and_from_the_host"]
    return f"{found['outcome']} {found['reason']}".strip()


def fault(stack: Stack) -> str:
    with Engine() as engine:
        return FirewallHost(engine, stack.name).find_fault()


@pytest.mark.parametrize("name", ["attacker", "closed"])
def test_flood_of_udp_to_the_host_reaches_the_limit_and_takes_no_room(guarded: Stack, name: str):
    before, turned = refused(guarded, "new connections a second"), refused(guarded, "the host itself")
    network = "tenant.default" if name == "attacker" else "tenant.default.internal"
    flood(guarded, name, "udp", guarded.host_address(network), 3000)
    assert refused(guarded, "new connections a second") > before
    # Those within the rate come as far as the next rule.
    assert refused(guarded, "the host itself") >= turned + RATE
    assert tracked(address_of(guarded, name)) <= FLOWS
    assert guarded.get("neighbour.localhost").status == 200


def test_connections_that_end_at_once_are_tracked_for_seconds_and_not_for_minutes(guarded: Stack):
    attacker, gateway = address_of(guarded, "attacker"), guarded.host_address("platform")
    bound = FLOWS + RATE * (ENDED_S + BURST_S)
    # What is beyond the rate is sent again by TCP, so this takes a second for each hundred.
    flood(guarded, "attacker", "tcp", f"{gateway}:80", 1000)
    assert RATE < tracked(attacker) <= bound
    # Two minutes without the rule for them.
    until(lambda: tracked(attacker) < RATE, "what has ended is forgotten", within_s=2 * ENDED_S)


def test_connections_that_stay_open_reach_the_limit_for_whoever_holds_them_alone(guarded: Stack):
    attacker, gateway = address_of(guarded, "attacker"), guarded.host_address("platform")
    before = refused(guarded, "connections")
    with hold(guarded, "attacker", gateway, FLOWS + 100):
        until(lambda: refused(guarded, "connections") > before, "the limit is reached")
        assert FLOWS // 2 < tracked(attacker) <= FLOWS + RATE * (ENDED_S + BURST_S)
        # The gateway reaches the attacker, and the neighbour the gateway.
        assert guarded.get("attacker.localhost").status == 200
        told = guarded.get("neighbour.localhost", f"/call?url=http://{gateway}/&host=neighbour.internal").json()
        assert told["status"] == 403, told


@contextmanager
def hold(stack: Stack, name: str, host: str, count: int) -> Iterator[None]:
    """Open connections to the gateway from the instance's own network, and keep them while the block runs."""
    script = f"for ((n = 0; n < {count}; n++)); do exec {{held}}<>/dev/tcp/{host}/80; done; exec sleep 60"
    container = f"runyard-test-hold-{stack.name}"
    network = ("--network", f"container:{instance_of(stack, name)}", "--ulimit", "nofile=4096", "--cap-drop", "ALL")
    docker(
        *("run", "--detach", "--name", container, *network, "--entrypoint", "bash"),
        *(image_reference("firewall"), "-c", script),
    )
    try:
        yield
    finally:
        docker("rm", "--force", container)


def test_instance_reaches_nothing_that_listens_on_the_host_but_the_gateway(guarded: Stack):
    for name, network in (("neighbour", "tenant.default"), ("closed", "tenant.default.internal")):
        with socket.create_server(("0.0.0.0", 0)) as listener:
            target = f"http://{guarded.host_address(network)}:{listener.getsockname()[1]}/"
            told = guarded.get(f"{name}.localhost", f"/call?url={target}&timeout_ms=1500").json()
            assert "connection refused" in told["error"], told


def test_verify_sees_the_rules_come_back_after_the_hosts_firewall_is_reloaded(guarded: Stack):
    assert checked(guarded) == "passed"
    assert fault(guarded) == ""
    keeper = f"runyard.{guarded.name}.firewall"
    docker("exec", keeper, "nft", "delete", "table", "ip", f"runyard.{guarded.name}")
    until(lambda: firewall_table(guarded.name) != "", "the rules are back")
    # With both orchestrators at once, as either would start it again.
    stopped = [keeper, *(f"runyard.{guarded.name}.{part}" for part in ("orchestrator", "standby"))]
    docker("kill", *stopped)
    # The kernel has the rules, and they go on without whoever keeps them; that nobody does is told.
    assert firewall_table(guarded.name) != ""
    assert fault(guarded).startswith("nobody keeps the rules: ")
    docker("start", *stopped)
    until(lambda: fault(guarded) == "", "the rules are kept again")


def test_platform_that_wants_no_firewall_has_no_rules_and_verify_says_so(guarded: Stack):
    guarded.platform(gateway={"port": guarded.port}, firewall={"enabled": False})
    guarded.up()
    assert firewall_table(guarded.name) == ""
    assert guarded.names("firewall") == []
    assert checked(guarded).startswith("skipped Skipped: spec.firewall.enabled is false")
    # Closed all the same, but for what listens on every address.
    address = IPv4Address(guarded.host_address("tenant.default"))
    with socket.create_server(("0.0.0.0", 0)) as listener:
        listener.settimeout(10)
        guarded.get("neighbour.localhost", f"/call?url=http://{address}:{listener.getsockname()[1]}/&timeout_ms=1500")
        listener.accept()[0].close()
    # With them again, so that the end of the stack has something to remove.
    guarded.platform(gateway={"port": guarded.port})
    assert "does not take the stack's rules" not in guarded.up().stdout
    assert firewall_table(guarded.name) != ""

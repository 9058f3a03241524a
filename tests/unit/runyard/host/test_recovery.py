from ipaddress import ip_network

import pytest

from runyard.errors import Conflict
from runyard.host.recovery import admit, planned_names, recover
from runyard.host.thing import Thing
from runyard.plan import plan
from runyard.pulumi.deployment import Deployment
from tests.unit.runyard.plan.example import manifests, service

GATEWAY = "runyard.dev.gateway"
PLATFORM = Thing("network", "runyard.dev.platform", "net-1", "dev", "network")
RULING = {("network", PLATFORM.name): PLATFORM.id}


class FakeEngine:
    """Holds things in memory and records what was removed, in order."""

    def __init__(self, *things):
        self.things = list(things)
        self.removed = []

    def owned(self, stack):
        return [thing for thing in self.things if thing.stack == stack]

    def remove(self, thing):
        self.removed.append(thing.name)


def gateway(identifier="c-1", stack="dev"):
    return Thing("container", GATEWAY, identifier, stack, "gateway")


def test_recovery_removes_what_a_pending_creation_left():
    engine = FakeEngine(gateway())
    left = recover(engine, "dev", Deployment({}, frozenset({("container", GATEWAY)})))
    assert [each.name for each in left] == engine.removed == [GATEWAY]


def test_recovery_removes_a_part_made_anew_by_hand_under_its_name_where_the_state_rules():
    engine = FakeEngine(PLATFORM, gateway(identifier="by-hand"))
    recover(engine, "dev", Deployment({**RULING, ("container", GATEWAY): "c-1"}))
    assert engine.removed == [GATEWAY]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("runyard.dev.gateway.test", "gateway-test"),
        ("runyard.dev.firewall.task", "firewall-task"),
        ("runyard.dev.backup", "backup"),
    ],
)
def test_recovery_removes_the_container_of_a_task_that_was_cut_off(name: str, role: str):
    test = Thing("container", name, "t", "dev", role)
    copy = Thing("container", "forged", "f", "dev", role)
    engine = FakeEngine(PLATFORM, test, copy)
    recover(engine, "dev", Deployment(RULING))
    assert engine.removed == [test.name]


@pytest.mark.parametrize("owned", [{}, {("network", PLATFORM.name): "another-id"}])
def test_recovery_touches_nothing_where_another_state_rules(owned):
    engine = FakeEngine(PLATFORM, gateway())
    assert recover(engine, "dev", Deployment({**owned, ("container", GATEWAY): "c-2"})) == []
    assert engine.removed == []


@pytest.mark.parametrize(
    "stranger",
    [
        Thing("container", "runyard.dev.default.hello-1.hello.a1", "c-2", "dev", "instance"),
        Thing("container", "runyard.dev.claim", "c-4", "dev", "claim"),
        Thing("container", "by-hand", "c-5", "dev", "gateway"),
        Thing("container", "by-hand", "c-6", "dev", ""),
        Thing("network", "runyard.dev.tenant.forged", "n-2", "dev", "network"),
        Thing("volume", "runyard.dev.gateway", "v-1", "dev", "volume"),
        Thing("container", "runyard.other.gateway", "c-3", "other", "gateway"),
    ],
)
def test_recovery_leaves_strangers_whatever_their_labels(stranger):
    engine = FakeEngine(PLATFORM, stranger)
    assert recover(engine, "dev", Deployment(RULING)) == []


def test_recovery_removes_containers_before_their_networks():
    network = Thing("network", "runyard.dev.tenant.a", "net-2", "dev", "network")
    engine = FakeEngine(PLATFORM, network, gateway())
    recover(engine, "dev", Deployment({}, frozenset({("network", network.name), ("container", GATEWAY)})))
    assert engine.removed == [GATEWAY, network.name]


def test_planned_names_cover_networks_volumes_and_parts():
    assert planned_names(plan(manifests(service()))) == {
        ("network", "runyard.dev.platform"),
        ("network", "runyard.dev.tenant.default"),
        ("container", "runyard.dev.gateway"),
        ("container", "runyard.dev.orchestrator"),
        ("container", "runyard.dev.standby"),
        ("container", "runyard.dev.filter"),
        ("container", "runyard.dev.spare"),
        ("container", "runyard.dev.firewall"),
        ("volume", "runyard.dev.gateway"),
        ("volume", "runyard.dev.requests"),
        ("volume", "runyard.dev.registry"),
        ("volume", "runyard.dev.orchestrator"),
        ("volume", "runyard.dev.engine"),
        ("volume", "runyard.dev.launcher"),
    }


def test_admission_names_a_strangers_container_and_says_it_was_left_alone():
    stranger = Thing("container", "runyard.dev.gateway", "0123456789abcdef")
    with pytest.raises(Conflict) as caught:
        admit(plan(manifests()), [stranger], Deployment({}, frozenset()))
    assert str(caught.value) == (
        "take names on the host: already in use, left alone:\n"
        "  container runyard.dev.gateway (0123456789ab): is not Runyard's"
    )


@pytest.mark.parametrize(
    ("stack", "owner"),
    [
        (
            "dev",
            "has the label of stack dev, but this state does not know it"
            " (another checkout's stack, or its state is lost: docs/guides/backup.md)",
        ),
        ("prod", "belongs to stack prod"),
    ],
)
def test_admission_says_whose_a_taken_name_is(stack, owner):
    taken = Thing("network", "runyard.dev.platform", "n", stack, "network")
    with pytest.raises(Conflict) as caught:
        admit(plan(manifests()), [taken], Deployment({}, frozenset()))
    assert str(caught.value).endswith(owner)


def test_admission_refuses_a_strangers_container_under_a_name_that_the_state_has():
    deployment = Deployment({("container", GATEWAY): "c-1"})
    with pytest.raises(Conflict, match=r"is not Runyard's$"):
        admit(plan(manifests()), [gateway("by-hand", "")], deployment)


def test_admission_lets_a_plan_have_what_the_state_owns_or_an_update_removes():
    deployment = Deployment({**RULING, ("container", GATEWAY): "c-1"}, frozenset({("volume", "runyard.dev.gateway")}))
    things = [PLATFORM, gateway("by-hand"), Thing("volume", "runyard.dev.gateway", "v", "dev", "volume")]
    admit(plan(manifests()), things, deployment)


def test_admission_refuses_addresses_that_a_strangers_network_has_and_names_both():
    wanted = plan(manifests())
    (network,) = [each for each in wanted.networks if each.name.endswith(".platform")]
    wide = str(ip_network(network.subnet).supernet(2))
    others = [
        Thing("network", "host", "h"),
        Thing("network", "six", "s", subnets=("fd00::/64",)),
        Thing("network", "bridge", "b", subnets=("172.17.0.0/16",)),
        Thing("network", "vpn", "v", "prod", "network", (wide,)),
    ]
    with pytest.raises(Conflict) as caught:
        admit(wanted, others, Deployment({}, frozenset()))
    first, told, hint = str(caught.value).splitlines()
    assert first == "take addresses on the host: already in use:"
    assert told == f"  network {network.name} ({network.subnet}): vpn has {wide} and belongs to stack prod"
    assert "spec.addressPool" in hint
    admit(wanted, others[:3], Deployment({}, frozenset()))


def test_admission_lets_networks_of_the_state_stand_where_they_are():
    wanted = plan(manifests())
    own = [Thing("network", each.name, each.name, "dev", "network", (each.subnet,)) for each in wanted.networks]
    admit(wanted, own, Deployment({("network", each.name): each.name for each in wanted.networks}))

import pytest

from runyard.errors import Conflict
from runyard.host.deployment import Deployment
from runyard.host.engine import Thing
from runyard.host.recovery import admit, planned_names, recover
from runyard.plan import KeptRevision, keep_revisions, plan
from tests.unit.runyard.plan.example import manifests, service

TEMPLATE = "runyard.dev.default.hello-1.hello.template"
PLATFORM = Thing("network", "runyard.dev.platform", "net-1", "dev", "network")


class FakeEngine:
    """Holds things in memory and records what was removed, in order."""

    def __init__(self, *things):
        self.things = list(things)
        self.removed = []

    def owned(self, stack):
        return [thing for thing in self.things if thing.stack == stack]

    def remove(self, thing):
        self.removed.append(thing.name)


def template(identifier="c-1", stack="dev"):
    return Thing("container", TEMPLATE, identifier, stack, "template")


def test_recovery_removes_what_a_pending_creation_left():
    engine = FakeEngine(template())
    left = recover(engine, "dev", Deployment({}, frozenset({("container", TEMPLATE)})))
    assert [each.name for each in left] == engine.removed == [TEMPLATE]


def test_recovery_removes_unknown_containers_where_the_state_rules():
    engine = FakeEngine(PLATFORM, template())
    recover(engine, "dev", Deployment({("network", PLATFORM.name): PLATFORM.id}, frozenset()))
    assert engine.removed == [TEMPLATE]


def test_recovery_removes_a_container_made_anew_by_hand_under_a_known_name():
    engine = FakeEngine(PLATFORM, template(identifier="by-hand"))
    owned = {("network", PLATFORM.name): PLATFORM.id, ("container", TEMPLATE): "c-1"}
    recover(engine, "dev", Deployment(owned, frozenset()))
    assert engine.removed == [TEMPLATE]


@pytest.mark.parametrize("owned", [{}, {("network", PLATFORM.name): "another-id"}])
def test_recovery_touches_nothing_where_another_state_rules(owned):
    engine = FakeEngine(PLATFORM, template())
    assert recover(engine, "dev", Deployment(owned, frozenset())) == []
    assert engine.removed == []


def test_recovery_leaves_instances_claims_volumes_and_strangers():
    engine = FakeEngine(
        PLATFORM,
        Thing("container", "runyard.dev.claim.1", "c-4", "dev", "claim"),
        Thing("container", "runyard.dev.default.hello-1.hello.a1", "c-2", "dev", "instance"),
        Thing("volume", "runyard.dev.gateway", "v-1", "dev", "volume"),
        Thing("container", "runyard.other.gateway", "c-3", "other", "gateway"),
    )
    recover(engine, "dev", Deployment({("network", PLATFORM.name): PLATFORM.id}, frozenset()))
    assert engine.removed == []


def test_recovery_removes_containers_before_their_networks():
    network = Thing("network", "runyard.dev.tenant.a", "net-2", "dev", "network")
    engine = FakeEngine(PLATFORM, network, template())
    recover(engine, "dev", Deployment({("network", PLATFORM.name): PLATFORM.id}, frozenset()))
    assert engine.removed == [TEMPLATE, network.name]


def test_planned_names_cover_platform_networks_volumes_and_templates():
    planned = plan(manifests(service()))
    assert planned_names(planned) == {
        ("network", "runyard.dev.platform"),
        ("network", "runyard.dev.tenant.default"),
        ("container", "runyard.dev.gateway"),
        ("container", "runyard.dev.orchestrator"),
        ("volume", "runyard.dev.gateway"),
        ("volume", "runyard.dev.orchestrator"),
        ("container", planned.services[0].revision.templates[0].name),
    }


def test_planned_names_cover_the_templates_of_kept_revisions():
    given = manifests(service())
    past = {"default/hello": [KeptRevision("hello-1", "hello-1", "d", {"hello": "i", "logger": "j"})]}
    assert planned_names(keep_revisions(plan(given), given, past)) - planned_names(plan(given)) == {
        ("container", TEMPLATE),
        ("container", "runyard.dev.default.hello-1.logger.template"),
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
        ("dev", "has the label of stack dev, but this state does not know it (another checkout's stack?)"),
        ("prod", "belongs to stack prod"),
    ],
)
def test_admission_says_whose_a_taken_name_is(stack, owner):
    taken = Thing("network", "runyard.dev.platform", "n", stack, "network")
    with pytest.raises(Conflict) as caught:
        admit(plan(manifests()), [taken], Deployment({}, frozenset()))
    assert str(caught.value).endswith(owner)


def test_admission_lets_a_plan_have_what_the_state_owns_or_began():
    deployment = Deployment(
        {("network", "runyard.dev.platform"): "n"}, frozenset({("container", "runyard.dev.gateway")})
    )
    things = [Thing("network", "runyard.dev.platform", "n"), Thing("container", "runyard.dev.gateway", "c")]
    admit(plan(manifests()), things, deployment)

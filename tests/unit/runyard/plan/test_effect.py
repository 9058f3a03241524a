import pytest

from runyard.plan.effect import Effect, effect_of, worst


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("Service", "containers.hello.image"),
        ("Service", "containers.hello.env.LOG_LEVEL"),
        ("Service", "scaling.minScale"),
        ("Service", "template.labels.team"),
    ],
)
def test_effect_of_what_shapes_a_revision_is_none_because_a_new_one_comes_beside(document, path):
    effect = effect_of(document, path)
    assert effect.kind == "none"
    assert "new revision" in effect.reason


@pytest.mark.parametrize(
    ("document", "path", "kind", "word"),
    [
        ("Service", "traffic.latest", "none", "shares"),
        ("Service", "timeoutSeconds", "none", "data in the gateway"),
        ("Service", "labels.team", "none", "nothing that runs"),
        ("Service", "minScale", "none", "at once"),
        ("Service", "manualInstanceCount", "none", "at once"),
        ("Service", "rolloutDurationSeconds", "none", "next rollout"),
        ("Service", "sessionAffinity", "none", "data in the gateway"),
        ("Platform", "gateway.holdTimeoutSeconds", "restart", "new workers"),
        ("Platform", "gateway.port", "gap", "port"),
        ("Platform", "gateway.address", "gap", "port"),
        ("Platform", "orchestratorPort", "none", "orchestrator"),
        ("Platform", "addressPool", "gap", "subnet"),
        ("Platform", "domain", "gap", "hosts"),
        ("Platform", "revisions.kept", "none", "nothing that runs"),
        ("Gateway", "image", "restart", "anew"),
        ("Gateway", "port", "gap", "port"),
        ("Orchestrator", "image", "none", "orchestrator"),
        ("Network", "subnet", "gap", "subnet"),
        ("Tenant", "subnet", "gap", "subnet"),
        ("Tenant", "quotas.requestsPerSecond", "none", "data in the gateway"),
        ("Service", "requestLimits.clientBurst", "none", "data in the gateway"),
        ("Service", "maxRequestsPerSecond", "none", "data in the gateway"),
        ("Tenant", "quotas.instances", "none", "nothing that runs"),
        ("PriceBook", "periods[0].cpu", "none", "nothing that runs"),
    ],
)
def test_effect_of_a_field_has_a_kind_and_a_reason(document, path, kind, word):
    effect = effect_of(document, path)
    assert (effect.kind, word in effect.reason) == (kind, True), effect


@pytest.mark.parametrize("document", ["Gateway", "Network", "Orchestrator", "Platform", "Service", "Tenant"])
def test_effect_of_what_comes_new_is_none(document):
    assert effect_of(document, "", "add").kind == "none"


def test_effect_of_a_service_that_goes_is_the_gap_that_was_asked_for():
    assert effect_of("Service", "", "remove").kind == "gap"
    assert effect_of("Tenant", "", "remove").kind == "none"


def test_effect_of_scaling_a_service_to_nothing_by_hand_is_the_gap_that_was_asked_for():
    assert effect_of("Service", "manualInstanceCount", "change", 0).kind == "gap"
    assert effect_of("Service", "manualInstanceCount", "change", 1).kind == "none"


def test_effect_of_closing_a_service_to_the_outside_is_a_gap_and_of_opening_it_none():
    assert effect_of("Service", "ingress", "change", "internal").kind == "gap"
    assert effect_of("Service", "ingress", "change", "all").kind == "none"


def test_worst_effect_is_the_first_of_those_that_hurt_most():
    effects = [Effect("none", "a"), Effect("restart", "b"), Effect("restart", "c")]
    assert worst(effects) == Effect("restart", "b")
    assert worst([*effects, Effect("gap", "d")]) == Effect("gap", "d")
    assert worst([]) is None

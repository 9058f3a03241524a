from dataclasses import fields, replace

import pytest

from runyard.contracts import Fallback
from runyard.manifest.model import (
    Container,
    FileSource,
    PersistentVolume,
    RequestLimits,
    TrafficTarget,
    Values,
    Volume,
)
from runyard.manifest.routes import parse_routes
from runyard.plan.effect import Effect, worst
from runyard.plan.effect_table import EFFECTS, effect_of
from runyard.plan.facts import describe_service
from tests.unit.runyard.plan.example import service, template


@pytest.mark.parametrize("path", ["containers.hello.image", 'containers.hello.env["LOG.LEVEL"]', "templateLabels.team"])
def test_effect_of_what_shapes_a_revision_is_none_because_a_new_one_comes_beside(path):
    for op in ("add", "change", "remove"):
        effect = effect_of("Service", path, op)
        assert effect.kind == "none"
        assert "new revision" in effect.reason


@pytest.mark.parametrize(
    ("document", "path", "kind", "word"),
    [
        ("Service", "traffic.latest", "none", "shares"),
        ("Service", "timeoutSeconds", "none", "data in the gateway"),
        ("Service", "minScale", "none", "at once"),
        ("Service", "scaling.minScale", "none", "new revision"),
        ("Service", "scaling.windowSeconds", "none", "new revision"),
        ("Service", "manualInstanceCount", "none", "at once"),
        ("Service", "rolloutDurationSeconds", "none", "next rollout"),
        ("Service", "sessionAffinity", "none", "data in the gateway"),
        ("Service", "requestLimits.clientBurst", "none", "data in the gateway"),
        ("Service", "maxRequestsPerSecond", "none", "data in the gateway"),
        ("Gateway", "configuration.hold_timeout_ms", "restart", "new workers"),
        ("Gateway", "image", "restart", "anew"),
        ("Gateway", "port", "gap", "port"),
        ("Gateway", "address", "gap", "port"),
        ("Gateway", "h2cPort", "gap", "port"),
        ("Gateway", "tls.port", "gap", "port"),
        ("Gateway", "tls.mode", "gap", "certificates"),
        ("Gateway", "domain", "gap", "hosts"),
        ("Gateway", "defaultBackend", "none", "data in the gateway"),
        ("Orchestrator", "image", "none", "orchestrator"),
        ("Orchestrator", "environment.RUNYARD_HTTP_ADDRESS", "none", "orchestrator"),
        ("Network", "subnet", "gap", "subnet"),
        ("Network", "quotas.instances", "none", "nothing that runs"),
    ],
)
def test_effect_of_a_field_has_a_kind_and_a_reason(document, path, kind, word):
    effect = effect_of(document, path)
    assert (effect.kind, word in effect.reason) == (kind, True), effect


@pytest.mark.parametrize(
    ("document", "path", "word"),
    [
        ("Service", 'routes["shop.example.com/api"]', "404"),
        ("Service", "tags.now", "404"),
        ("Service", "uses.cart", "403"),
        ("Gateway", "defaultBackend", "404"),
        ("Gateway", "h2cPort", "refused"),
        ("Gateway", "tls.mode", "refused"),
        ("Gateway", "tls.port", "refused"),
    ],
)
def test_effect_of_what_is_taken_away_is_the_gap_that_was_asked_for_and_of_adding_it_none_like_it(document, path, word):
    gone, come = effect_of(document, path, "remove"), effect_of(document, path, "add")
    assert (gone.kind, word in gone.reason) == ("gap", True)
    assert come.kind != "gap"


def test_effect_of_sending_plain_http_to_tls_is_a_gap_for_clients_that_do_not_follow():
    assert effect_of("Gateway", "configuration.https_port", "add").kind == "gap"
    assert effect_of("Gateway", "configuration.https_port", "remove").kind == "restart"


def test_effect_of_a_field_of_another_version_is_that_of_a_changed_document_whatever_happens_to_it():
    for document in EFFECTS:
        changed = effect_of(document, "")
        assert {effect_of(document, "unheard.of", op) for op in ("add", "change", "remove")} == {changed}


def test_effects_name_every_key_that_a_service_can_show_and_no_other():
    """A new field of the manifest fails here until somebody has judged it."""
    shown = describe_service(
        filled(
            service(
                template=filled(
                    template(
                        volumes=(
                            Volume("cache", "emptyDir"),
                            Volume("settings", "configMap", (FileSource("configMap", "settings"),)),
                        ),
                        init_containers=(Container("first", "a:1"), Container("second", "a:1")),
                    )
                ),
                persistent_volumes=(PersistentVolume("data", 1024, "/data"),),
                traffic=(TrafficTarget(100, tag="now"),),
                routes=parse_routes("shop.example.com/api"),
                request_limits=RequestLimits(concurrent_requests=1),
                fallback=Fallback(page="closed"),
            )
        ),
        (Values("configMap", "default", "settings", {"colour": "green"}),),
    )
    # Its component adds the revision and the network.
    assert {path.partition(".")[0] for path in EFFECTS["Service"]} == {"", "revision", "network", *shown}


def filled(made):
    """Give some value to every field that says nothing, because what says nothing is not shown."""
    some = {type(None): "x", str: "x", tuple: ("x",), dict: {"x": "x"}}
    says = {each.name: getattr(made, each.name) for each in fields(made)}
    return replace(
        made, **{name: some[type(value)] for name, value in says.items() if not value and type(value) in some}
    )


@pytest.mark.parametrize("document", ["Gateway", "Network", "Orchestrator", "Service"])
def test_effect_of_what_comes_new_is_none(document):
    assert effect_of(document, "", "add").kind == "none"


def test_effect_of_a_service_that_goes_is_the_gap_that_was_asked_for():
    assert effect_of("Service", "", "remove").kind == "gap"
    assert effect_of("Network", "", "remove").kind == "none"


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

import json
from dataclasses import replace

import pytest

from runyard import contracts
from runyard.contracts import ContainerDocument, RevisionDocument, RolloutRequest, SignedRevision, TrafficShare
from runyard.errors import ContractError, UsageError
from runyard.pulumi.deployment import Deployment, check_form, parse_deployment

BRIDGE = "runyard.dev.platform"
URN = "urn:pulumi:dev::runyard::"
CIPHER = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}


def export(resources=(), pending=()):
    return json.dumps({"deployment": {"resources": list(resources), "pending_operations": list(pending)}})


def network_resource(name=BRIDGE, identifier="n-1"):
    return {"type": "docker:index/network:Network", "id": identifier, "urn": name, "inputs": {"name": name}}


def document(name, identity=""):
    containers = (ContainerDocument("hello", "hello:1"),)
    return RevisionDocument("dev", "default", "hello", name, identity or name, "d" * 64, BRIDGE, "", containers)


def service(*documents, revision=None, **changes):
    """Make the resource of a service that keeps these revisions; `revision` is the one that was served last."""
    rollout = RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),))
    signed = [{"document": contracts.encode(each), "signature": "s"} for each in documents]
    served = revision if revision is not None else documents[0].name if documents else ""
    made = {
        "urn": f"{URN}runyard:index:Service::default.hello",
        "type": "runyard:index:Service",
        "id": "default/hello",
        "inputs": {
            "stack": "dev",
            "tenant": "default",
            "service": "hello",
            "facts": '{"image":"hello:1"}',
            "rollout": contracts.encode(rollout),
            "key": CIPHER,
            "values": CIPHER,
        },
        "outputs": {"documents": json.dumps(signed), "values": CIPHER, "revision": served, "url": "http://x"},
    }
    return made | changes


def past(*documents, **changes):
    return [each.document for each in parse_deployment(export([service(*documents, **changes)])).pasts["default/hello"]]


def test_deployment_of_an_empty_stack_owns_nothing():
    assert parse_deployment('{"version": 3, "deployment": null}') == Deployment()


def test_deployment_reads_owned_ids_and_pending_creations():
    pending = [
        {"type": "creating", "resource": network_resource("new", "")},
        {"type": "deleting", "resource": network_resource("old", "n-9")},
        {"type": "creating", "resource": {"type": "pulumi:pulumi:Stack"}},
    ]
    deployment = parse_deployment(export([network_resource(), {"type": "runyard:x:X", "urn": "x"}], pending))
    assert deployment.owned == {("network", BRIDGE): "n-1"}
    assert deployment.pending == {("network", "new")}


def test_deployment_does_not_count_a_creation_as_pending_once_it_is_owned():
    deployment = parse_deployment(export([network_resource()], [{"type": "creating", "resource": network_resource()}]))
    assert deployment.pending == frozenset()


@pytest.mark.parametrize("text", ["", "[]", '{"deployment": {"resources": [{}]}}', "null"])
def test_deployment_that_is_not_one_is_refused(text):
    with pytest.raises(ContractError, match="read the stack's state"):
        parse_deployment(text)


def test_history_is_what_was_signed_newest_first_with_its_images():
    newest = replace(document("hello-2"), images={"hello": contracts.ImageIdentity("sha256:1")})
    assert past(newest, document("hello-1")) == [newest, document("hello-1")]


def test_history_of_a_chosen_name_is_told_apart_by_its_hash():
    (kept,) = past(document("hello-v1", "hello-v1.bbbbbbbb"))
    assert (kept.name, kept.identity) == ("hello-v1", "hello-v1.bbbbbbbb")


def test_history_leaves_out_a_revision_whose_rollout_failed():
    made = [document("hello-2"), document("hello-1")]
    failed = {"initErrors": ["not ready"]}
    assert [each.name for each in past(*made, revision="hello-1", **failed)] == ["hello-1"]
    # It was served before, and only what was asked of it now failed.
    assert [each.name for each in past(*made, **failed)] == ["hello-2", "hello-1"]
    assert past(document("hello-1"), revision="", **failed) == []


def test_history_of_a_service_that_was_never_made_is_empty():
    assert past(outputs=None) == []


def test_service_that_only_waits_for_its_deletion_has_no_history():
    deployment = parse_deployment(export([service(document("hello-1"), delete=True)]))
    assert (deployment.pasts, deployment.traffic, deployment.facts) == ({}, {}, {})


def test_revision_that_this_version_cannot_read_refuses_and_is_named():
    signed = json.dumps([{"document": '{"from": "the future"}', "signature": "s"}])
    with pytest.raises(ContractError) as caught:
        past(outputs={"documents": signed})
    assert str(caught.value) == (
        "read the stack's state: revision 0 of default/hello: decode RevisionDocument: unknown field 'from'"
    )
    with pytest.raises(ContractError, match="revision 0 of default/hello: "):
        past(outputs={"documents": json.dumps([CIPHER])})


def test_documents_are_read_as_they_were_signed():
    signed = SignedRevision(contracts.encode(document("hello-1")), "s")
    assert contracts.decode(RevisionDocument, signed.document) == past(document("hello-1"))[0]


def test_traffic_is_what_was_applied_last_and_unknown_after_a_failure():
    made = service(document("hello-1"))
    assert parse_deployment(export([made])).traffic == {"default/hello": (TrafficShare("hello-1", 100),)}
    assert parse_deployment(export([made | {"initErrors": ["not ready"]}])).traffic == {}


def test_facts_are_what_components_and_services_were_declared_with():
    resources = [
        service(document("hello-1")),
        {"urn": f"{URN}runyard:network:Network::platform", "type": "runyard:network:Network", "inputs": {"a": 1}},
        {"urn": f"{URN}runyard:gateway:Gateway::gateway", "type": "runyard:gateway:Gateway"},
    ]
    assert parse_deployment(export(resources)).facts == {
        ("Service", "default.hello"): {"image": "hello:1"},
        ("Network", "platform"): {"a": 1},
        ("Gateway", "gateway"): {},
    }


@pytest.mark.parametrize("kind", ["runyard:revision:Revision", "pulumi-python:dynamic/runyard:Rollout"])
def test_stack_of_the_old_form_is_told_apart(kind):
    assert not parse_deployment(export([service(document("hello-1"))])).outdated
    old = parse_deployment(export([{"urn": "r", "type": kind, "outputs": {"tenant": "default"}}]))
    assert (old.outdated, old.pasts) == (True, {})


def test_stack_of_the_old_form_is_refused_with_the_way_to_take_it_down():
    check_form("dev", Deployment())
    with pytest.raises(UsageError) as caught:
        check_form("dev", Deployment(outdated=True))
    assert str(caught.value) == (
        "stack dev: must be of this version of Runyard, got one whose revisions are containers "
        "(take it down in a checkout of the version that made it: make down STACK=dev)"
    )

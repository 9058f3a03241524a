import json
from dataclasses import replace

import pytest

from runyard import contracts, names
from runyard.contracts import RevisionSpec, TemplateSpec, TrafficShare
from runyard.errors import ContractError
from runyard.host.deployment import Deployment, parse_deployment
from runyard.plan import KeptRevision

CONTAINER = "runyard.dev.default.hello-1.hello.template"
URN = "urn:pulumi:dev::runyard::"
SPEC = TemplateSpec("hello", 256, revision=RevisionSpec("hello", 8080, ("hello",)))


def export(resources=(), pending=()):
    return json.dumps({"deployment": {"resources": list(resources), "pending_operations": list(pending)}})


def container_resource(name=CONTAINER, identifier="c-1"):
    return {"type": "docker:index/container:Container", "id": identifier, "urn": name, "inputs": {"name": name}}


def revision(identity, digest, *specs, **changes):
    """Make the resources of a revision: the component and a template for each spec."""
    component = {
        "urn": f"{URN}runyard:revision:Revision::default.{identity}",
        "type": "runyard:revision:Revision",
        "inputs": {"digest": digest},
    }
    made = [component]
    for spec in specs or (SPEC,):
        labels = {
            names.ROLE: names.ROLE_TEMPLATE,
            names.TENANT: "default",
            names.SERVICE: "hello",
            names.REVISION: names.revision_of(identity),
            names.CONTAINER: spec.container,
            names.SPEC: contracts.encode(spec),
        }
        each = container_resource(f"runyard.dev.default.{identity}.{spec.container}.template")
        each["parent"] = component["urn"]
        each["inputs"]["image"] = f"{spec.container}:1"
        each["inputs"]["labels"] = [{"label": key, "value": value} for key, value in labels.items()]
        made.append(each | changes)
    return made


def rollout(digest, *history):
    outputs = {"tenant": "default", "service": "hello", "digest": digest}
    outputs |= {"history": list(history)} if history else {}
    return {"urn": "r", "type": "pulumi-python:dynamic/runyard:Rollout", "outputs": outputs}


def past(*resources):
    return parse_deployment(export(resources)).pasts["default/hello"]


def test_deployment_of_an_empty_stack_owns_nothing():
    assert parse_deployment('{"version": 3, "deployment": null}') == Deployment()


def test_deployment_reads_owned_ids_and_pending_creations():
    pending = [
        {"type": "creating", "resource": container_resource("new", "")},
        {"type": "deleting", "resource": container_resource("old", "c-9")},
        {"type": "creating", "resource": {"type": "pulumi:pulumi:Stack"}},
    ]
    deployment = parse_deployment(export([container_resource(), {"type": "runyard:x:X", "urn": "x"}], pending))
    assert deployment.owned == {("container", CONTAINER): "c-1"}
    assert deployment.pending == {("container", "new")}


def test_deployment_does_not_count_a_creation_as_pending_once_it_is_owned():
    deployment = parse_deployment(
        export([container_resource()], [{"type": "creating", "resource": container_resource()}])
    )
    assert deployment.pending == frozenset()


@pytest.mark.parametrize("text", ["", "[]", '{"deployment": {"resources": [{}]}}', "null"])
def test_deployment_that_is_not_one_is_refused(text):
    with pytest.raises(ContractError, match="read the stack's exported state"):
        parse_deployment(text)


def test_history_is_that_of_the_last_rollout_in_its_order():
    resources = [*revision("hello-1", "a"), *revision("hello-2", "b"), rollout("b", "hello-2", "hello-1")]
    assert past(*resources) == (
        KeptRevision("hello-2", "hello-2", "b", {"hello": "hello:1"}),
        KeptRevision("hello-1", "hello-1", "a", {"hello": "hello:1"}),
    )


def test_history_leaves_out_the_template_of_a_revision_whose_rollout_failed():
    resources = [*revision("hello-1", "a"), *revision("hello-2", "b"), rollout("a", "hello-1")]
    assert [each.name for each in past(*resources)] == ["hello-1"]


def test_history_of_a_rollout_from_before_there_was_one_is_its_latest_revision():
    resources = [*revision("hello-1", "a"), *revision("hello-2", "b"), rollout("b")]
    assert [each.name for each in past(*resources)] == ["hello-2"]


def test_history_of_a_chosen_name_is_told_apart_by_its_hash():
    resources = [*revision("hello-v1.aaaaaaaa", "a"), *revision("hello-v1.bbbbbbbb", "b")]
    (kept,) = past(*resources, rollout("b", "hello-v1.bbbbbbbb"))
    assert (kept.name, kept.identity, kept.digest) == ("hello-v1", "hello-v1.bbbbbbbb", "b")


def test_history_leaves_out_a_revision_that_has_lost_a_template():
    spec = replace(SPEC, revision=replace(SPEC.revision, containers=("hello", "logger")))
    logger = TemplateSpec("logger", 256)
    assert past(*revision("hello-1", "a", spec), rollout("a", "hello-1")) == ()
    assert past(*revision("hello-1", "a", logger), rollout("a", "hello-1")) == ()
    (whole,) = past(*revision("hello-1", "a", spec, logger), rollout("a", "hello-1"))
    assert whole.templates == {"hello": "hello:1", "logger": "logger:1"}


def test_history_leaves_out_what_only_waits_for_its_deletion():
    assert past(*revision("hello-1", "a", delete=True), rollout("a", "hello-1")) == ()


def test_history_leaves_out_a_template_that_this_version_cannot_read():
    resources = revision("hello-1", "a")
    resources[1]["inputs"]["labels"][-1]["value"] = '{"from": "the future"}'
    assert past(*resources, rollout("a", "hello-1")) == ()


def test_traffic_is_what_was_applied_last():
    resource = rollout("a", "hello-1")
    resource["outputs"]["traffic"] = [{"revision": "hello-1", "percent": 100, "tag": ""}]
    assert parse_deployment(export([resource])).traffic == {"default/hello": (TrafficShare("hello-1", 100),)}


def test_facts_are_what_components_were_declared_with():
    resources = [
        {"urn": f"{URN}runyard:service:Service::default.hello", "type": "runyard:service:Service", "inputs": {"a": 1}},
        {"urn": f"{URN}runyard:gateway:Gateway::gateway", "type": "runyard:gateway:Gateway"},
    ]
    assert parse_deployment(export(resources)).facts == {
        ("Service", "default.hello"): {"a": 1},
        ("Gateway", "gateway"): {},
    }

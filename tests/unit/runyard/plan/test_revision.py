import dataclasses
import re

import pytest

from runyard import contracts
from runyard.contracts import TemplateSpec
from runyard.manifest.model import (
    Container,
    EnvVar,
    KeyReference,
    Probe,
    Scaling,
    Volume,
    VolumeMount,
)
from runyard.plan import plan
from tests.unit.runyard.plan.example import container, manifests, service, template


def revision(subject=None, **digests):
    return plan(manifests(subject or service()), secret_digests={"default": digests}).services[0].revision


def with_container(**changes):
    return service(template=template(containers=(container(**changes),)))


def only_template(subject):
    (found,) = revision(subject).templates
    return found


def test_revision_name_is_the_service_and_a_hash_of_its_shape():
    planned = revision()
    assert re.fullmatch(r"hello-[0-9a-f]{8}", planned.name)
    assert planned.digest.startswith(planned.name.removeprefix("hello-"))


@pytest.mark.parametrize(
    "changed",
    [
        with_container(image="runyard/hello:2"),
        with_container(env=(EnvVar("A", "b"),)),
        with_container(args=("--verbose",)),
        with_container(cpu_millis=500),
        with_container(memory_bytes=1024**3),
        with_container(run_as_user=1000),
        with_container(startup_probe=Probe("http", port=8080)),
        service(uses=("cart",)),
        service(egress="none"),
        service(template=template(container_concurrency=1)),
        service(template=template(scaling=Scaling(min_scale=2))),
        service(template=template(labels={"team": "a"})),
    ],
)
def test_revision_name_changes_with_what_shapes_it(changed):
    assert revision(changed).name != revision().name


@pytest.mark.parametrize(
    "same",
    [service(labels={"team": "a"}), service(annotations={"x/y": "z"}), service(ingress="internal")],
)
def test_revision_name_stays_for_what_does_not_shape_it(same):
    assert revision(same).name == revision().name


def test_revision_name_changes_with_a_secrets_value_and_holds_none_of_it():
    token = EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest"))
    first, second = (revision(with_container(env=(token,)), **{"api/latest": digest}) for digest in ("one", "two"))
    assert first.name != second.name
    assert revision(**{"api/latest": "one"}).name == revision(**{"api/latest": "two"}).name


def test_revision_with_a_chosen_name_keeps_it_and_marks_its_content_in_its_templates():
    planned = revision(service(template=template(name="hello-blue")))
    assert planned.name == "hello-blue"
    assert planned.identity == f"hello-blue.{planned.digest[:8]}"
    assert planned.templates[0].name == f"runyard.dev.default.{planned.identity}.hello.template"


def test_template_of_the_ingress_container_comes_first():
    sidecar = Container("logger", "runyard/hello:1")
    planned = revision(service(template=template(containers=(sidecar, container()))))
    assert [each.spec.container for each in planned.templates] == ["hello", "logger"]
    assert planned.templates[0].spec.revision.containers == ("hello", "logger")
    assert planned.templates[1].spec.revision is None


def test_template_label_carries_the_spec_that_docker_cannot():
    found = only_template(with_container(liveness_probe=Probe("grpc", port=8080)))
    spec = contracts.decode(TemplateSpec, found.labels["runyard.dev/spec"])
    assert spec == found.spec
    assert (spec.pids_limit, spec.memory_bytes, spec.liveness_probe.kind) == (256, 512 * 1024**2, "grpc")


def test_template_labels_name_stack_tenant_service_revision_and_role():
    planned = revision()
    labels = {key.removeprefix("runyard.dev/"): value for key, value in planned.templates[0].labels.items()}
    del labels["spec"]
    assert labels == {
        "stack": "dev",
        "tenant": "default",
        "service": "hello",
        "revision": planned.name,
        "role": "template",
        "container": "hello",
    }


def test_template_environment_has_knatives_variables_and_the_last_of_a_name():
    found = only_template(with_container(env=(EnvVar("A", "1"), EnvVar("A", "2"))))
    assert {each.name: each.value for each in found.environment} == {
        "A": "2",
        "PORT": "8080",
        "K_SERVICE": "hello",
        "K_CONFIGURATION": "hello",
        "K_REVISION": revision(with_container(env=(EnvVar("A", "1"), EnvVar("A", "2")))).name,
    }


@pytest.mark.parametrize(
    ("user", "group", "expected"), [(None, None, ""), (1000, None, "1000"), (1000, 2000, "1000:2000"), (0, None, "0")]
)
def test_template_user_is_what_the_security_context_says(user, group, expected):
    assert only_template(with_container(run_as_user=user, run_as_group=group)).user == expected


def test_template_has_a_writable_tmp_and_its_empty_directories():
    volumes = (Volume("cache", "emptyDir", size_limit_bytes=1024), Volume("big", "emptyDir"))
    mounts = (VolumeMount("cache", "/cache"), VolumeMount("big", "/big"))
    holder = container(volume_mounts=mounts, memory_bytes=2048)
    found = only_template(service(template=template(containers=(holder,), volumes=volumes)))
    assert found.tmpfs == {
        "/tmp": "rw,nosuid,nodev,mode=1777,size=67108864",
        "/cache": "rw,nosuid,nodev,mode=1777,size=1024",
        "/big": "rw,nosuid,nodev,mode=1777,size=2048",
    }


def test_template_resolves_only_the_callees_that_the_manifest_names():
    planned = plan(manifests(service(uses=("stock", "cart"))))
    assert planned.services[0].revision.templates[0].hosts == {
        "cart.internal": planned.platform_network.host_address,
        "stock.internal": planned.platform_network.host_address,
    }
    assert only_template(service()).hosts == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 0),
        ({"template": template(scaling=Scaling(min_scale=2))}, 2),
        ({"template": template(scaling=Scaling(min_scale=2)), "min_scale": 3}, 2),
        ({"manual_instance_count": 4}, 0),
    ],
)
def test_revision_minimum_is_its_templates_whatever_the_service_wants(changes, expected):
    assert only_template(service(**changes)).spec.revision.min_instances == expected


def test_plan_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        revision().name = "other"

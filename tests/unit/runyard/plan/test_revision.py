import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest

from runyard import contracts
from runyard.contracts import (
    ContainerDocument,
    FilesMount,
    ImageIdentity,
    MemoryMount,
    RevisionDocument,
    ScalingDocument,
    ScalingSignal,
    ScheduledMinimum,
    SecretFile,
    SecretValue,
    Variable,
    VolumeDocument,
    VolumeMount,
)
from runyard.contracts import Probe as DocumentProbe
from runyard.manifest.model import (
    Container,
    EnvVar,
    Gateway,
    KeyReference,
    Platform,
    Probe,
    Scaling,
    Volume,
)
from runyard.manifest.model import VolumeMount as ManifestMount
from runyard.plan import plan
from tests.unit.runyard.plan.example import container, manifests, service, template

SECRET = SecretValue("api", "latest", "0" * 64)
PROBE = DocumentProbe("grpc", 8080, headers=(("a", "b"),), command=("true",))
WHOLE = ContainerDocument(
    "web",
    "web:1",
    entrypoint=("/web",),
    command=("-v",),
    environment=(Variable("A", "b"), Variable("TOKEN", secret=SECRET)),
    working_dir="/srv",
    user="1000",
    memory_mounts=(MemoryMount("/tmp", 64),),
    file_mounts=(FilesMount("/secrets", (SecretFile("token", SECRET),)),),
    volume_mounts=(VolumeMount("data", "/data"),),
    startup_probe=PROBE,
    liveness_probe=PROBE,
    readiness_probe=PROBE,
    depends_on=("logger",),
)
# Every field of a document has something in it, so that every kind of its parts is there to be changed.
DOCUMENT = RevisionDocument(
    "dev",
    "shop",
    "web",
    "web-1",
    "web-1",
    "d" * 64,
    "runyard.dev.tenant.shop",
    "10.0.0.1",
    containers=(WHOLE,),
    init_containers=(WHOLE,),
    volumes=(VolumeDocument("data", "persistent", 1024),),
    annotations={"restarted": "1"},
    labels={"team": "a"},
    callees=("cart",),
    images={"web": ImageIdentity("sha256:1")},
)


def revision(subject=None, **digests):
    return plan(manifests(subject or service()), secret_digests={"default": digests}).services[0].revision


NAMED = Platform(gateway=Gateway(caller_identity=True))


def test_instance_is_told_of_itself_where_callers_are_named_and_nothing_changes_elsewhere():
    subject = service(template=template(init_containers=(container(name="first", port=None),)))
    plain = revision(subject)
    made = plan(manifests(subject, platform=NAMED))
    document, inner = made.services[0].revision.document, made.networks[0].host_address
    assert (document.metadata, document.gateway_address) == (True, inner)
    for each in (*document.containers, *document.init_containers):
        told = {variable.name: variable.value for variable in each.environment}
        assert told["GCE_METADATA_HOST"] == "metadata.internal"
        assert told["GCE_METADATA_IP"] == inner
        assert told["RUNYARD_CA_FILE"] == "/run/runyard/ca.pem"
        assert "SSL_CERT_FILE" not in told
        assert each.file_mounts == (FilesMount("/run/runyard", authority=True),)
    assert plain.name != document.name
    assert (plain.document.metadata, plain.document.gateway_address) == (False, "")
    assert "metadata" not in contracts.encode_differing(plain.document)
    assert plain.document.containers[0].file_mounts == ()


def test_what_the_manifest_says_of_metadata_counts_more():
    own = with_container(env=(EnvVar("GCE_METADATA_HOST", "10.0.0.9"),))
    (told,) = plan(manifests(own, platform=NAMED)).services[0].revision.document.containers
    assert {each.name: each.value for each in told.environment}["GCE_METADATA_HOST"] == "10.0.0.9"


def with_container(**changes):
    return service(template=template(containers=(container(**changes),)))


def only_container(subject=None, **digests):
    (found,) = revision(subject, **digests).document.containers
    return found


def token(*, optional=False):
    return EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest", optional))


def changes(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give copies of a message, each with another value in one field of it or of a part of it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            for where, changed in changes(getattr(value, each.name), f"{path}.{each.name}"):
                yield where, dataclasses.replace(value, **{each.name: changed})
    elif isinstance(value, tuple) and value:
        yield path, ()
        for index, item in enumerate(value):
            for where, changed in changes(item, f"{path}[{index}]"):
                yield where, (*value[:index], changed, *value[index + 1 :])
    elif isinstance(value, dict):
        yield path, {**value, "another": next(iter(value.values()))}
    else:
        yield path, {bool: lambda: not value, int: lambda: value + 1}.get(type(value), lambda: f"{value}2")()


CHANGES = dict(changes(DOCUMENT, "document"))


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
        service(template=template(free_annotations={"restarted": "1"})),
        service(template=template(tmp_bytes=1024)),
        service(template=template(runtime_class="runsc")),
        with_container(cpu_request_millis=100),
        with_container(writable_root=True),
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


@pytest.mark.parametrize("where", CHANGES)
def test_document_that_differs_anywhere_is_hashed_otherwise(where):
    assert contracts.encode_differing(CHANGES[where]) != contracts.encode_differing(DOCUMENT)


def test_document_with_fields_at_their_defaults_is_hashed_without_them():
    bare = RevisionDocument("dev", "shop", "web", "", "", "", "net", "", (ContainerDocument("web", "web:1"),))
    assert contracts.encode_differing(bare) == (
        '{"containers":[{"image":"web:1","name":"web"}],"digest":"","gateway_address":"","identity":"","name":"",'
        '"network":"net","service":"web","stack":"dev","tenant":"shop"}'
    )


def test_document_is_the_same_after_it_was_text():
    assert contracts.decode(RevisionDocument, contracts.encode(DOCUMENT)) == DOCUMENT
    planned = revision(with_container(env=(token(),), readiness_probe=Probe("exec", command=("true",)))).document
    assert contracts.decode(RevisionDocument, contracts.encode(planned)) == planned


def test_document_of_equal_manifests_is_the_same_text():
    first, second = (
        revision(with_container(env=(EnvVar("B"), EnvVar("A")))),
        revision(with_container(env=(EnvVar("A"), EnvVar("B")))),
    )
    assert contracts.encode(first.document) == contracts.encode(second.document)


def test_revision_name_changes_with_a_secrets_value_and_holds_none_of_it():
    first, second = (revision(with_container(env=(token(),)), **{"api/latest": digest}) for digest in ("one", "two"))
    assert first.name != second.name
    assert revision(**{"api/latest": "one"}).name == revision(**{"api/latest": "two"}).name


def test_revision_with_a_chosen_name_keeps_it_and_marks_its_content_in_its_identity():
    planned = revision(service(template=template(name="hello-blue")))
    assert planned.name == "hello-blue"
    assert planned.identity == f"hello-blue.{planned.digest[:8]}"


def test_container_that_takes_requests_comes_first():
    sidecar = Container("logger", "runyard/hello:1")
    planned = revision(service(template=template(containers=(sidecar, container()))))
    assert [each.name for each in planned.document.containers] == ["hello", "logger"]


def test_document_says_whose_it_is_and_where_it_runs():
    found = revision().document
    assert (found.stack, found.tenant, found.service, found.network) == (
        "dev",
        "default",
        "hello",
        "runyard.dev.tenant.default",
    )
    assert (found.port, found.concurrency, found.images) == (8080, 80, {})


def test_environment_has_knatives_variables_and_the_last_of_a_name_and_not_the_name_that_is_its_hash():
    found = only_container(with_container(env=(EnvVar("A", "1"), EnvVar("A", "2"))))
    assert {each.name: each.value for each in found.environment} == {
        "A": "2",
        "PORT": "8080",
        "K_SERVICE": "hello",
        "K_CONFIGURATION": "hello",
    }


def test_variable_of_a_secret_names_it_with_the_digest_of_its_value():
    found = only_container(with_container(env=(token(),)), **{"api/latest": "one"})
    assert found.environment[-1] == Variable("TOKEN", secret=SecretValue("api", "latest", "one"))


def test_variable_of_an_optional_secret_that_the_stack_lacks_is_not_there_and_another_of_its_name_stays():
    subject = with_container(env=(EnvVar("TOKEN", "plain"), token(optional=True)))
    assert Variable("TOKEN", "plain") in only_container(subject).environment
    assert "TOKEN" not in {
        each.name for each in only_container(with_container(env=(token(optional=True),))).environment
    }
    # With a value it is as any other.
    given = {"api/latest": "one"}
    assert revision(subject, **given) == revision(with_container(env=(token(),)), **given)


@pytest.mark.parametrize(
    ("user", "group", "expected"), [(None, None, ""), (1000, None, "1000"), (1000, 2000, "1000:2000"), (0, None, "0")]
)
def test_user_is_what_the_security_context_says(user, group, expected):
    assert only_container(with_container(run_as_user=user, run_as_group=group)).user == expected


def test_container_has_a_writable_tmp_and_its_empty_directories():
    volumes = (Volume("cache", "emptyDir", size_limit_bytes=1024), Volume("big", "emptyDir"))
    mounts = (ManifestMount("cache", "/cache", read_only=False), ManifestMount("big", "/big", read_only=False))
    holder = container(volume_mounts=mounts, memory_bytes=2048)
    assert only_container(service(template=template(containers=(holder,), volumes=volumes))).memory_mounts == (
        MemoryMount("/big", 2048),
        MemoryMount("/cache", 1024),
        MemoryMount("/tmp", 67108864),
    )


def test_document_names_only_the_callees_that_the_manifest_names_and_where_they_are_called():
    planned = plan(manifests(service(uses=("stock", "cart"))))
    found = planned.services[0].revision.document
    assert (found.callees, found.gateway_address) == (("cart", "stock"), planned.platform_network.host_address)
    assert (revision().document.callees, revision().document.gateway_address) == ((), "")


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
    assert revision(service(**changes)).document.min_instances == expected


SIGNAL = ScalingSignal("rps", 30.0, 0.7)
CHANGED_SCALING = [
    (Scaling(signals=(SIGNAL,)), ScalingDocument(signals=(SIGNAL,))),
    (Scaling(window_s=30), ScalingDocument(window_s=30)),
    (Scaling(panic_window_percentage=20.0), ScalingDocument(panic_window_percent=20.0)),
    (Scaling(panic_threshold_percentage=150.0), ScalingDocument(panic_threshold_percent=150.0)),
    (Scaling(scale_down_delay_s=15), ScalingDocument(scale_down_delay_s=15)),
    (Scaling(retention_period_s=90), ScalingDocument(retention_s=90)),
    (Scaling(initial_scale=3), ScalingDocument(initial_instances=3)),
    (Scaling(activation_scale=2), ScalingDocument(activation_instances=2)),
    (Scaling(aggregation="weighted-exponential"), ScalingDocument(aggregation="weighted-exponential")),
    (Scaling(idle="freeze"), ScalingDocument(idle="freeze")),
]


@pytest.mark.parametrize(("scaling", "document"), CHANGED_SCALING)
def test_what_decides_the_number_of_instances_is_carried_and_names_another_revision(scaling, document):
    changed = revision(service(template=template(scaling=scaling)))
    assert changed.document.scaling == document
    assert changed.name != revision(service(template=template())).name


def test_every_field_of_scaling_is_carried_by_a_case_above():
    fields = {each.name for each in dataclasses.fields(ScalingDocument)}
    default = ScalingDocument()
    changed = {name for _, case in CHANGED_SCALING for name in fields if getattr(case, name) != getattr(default, name)}
    assert changed == fields


def test_scaling_at_its_defaults_names_no_other_revision():
    assert revision(service(template=template(scaling=Scaling()))).name == revision(service(template=template())).name


def test_schedule_is_the_rollouts_and_makes_no_revision():
    schedule = (ScheduledMinimum(3, "0 8 * * 1-5", "Europe/Berlin"),)
    plain, scheduled = (plan(manifests(each)).services[0] for each in (service(), service(schedule=schedule)))
    assert (scheduled.rollout.schedule, plain.rollout.schedule) == (schedule, ())
    assert scheduled.revision == plain.revision


def test_plan_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        revision().document.name = "other"


def test_revision_of_another_stack_has_another_name_because_its_network_has():
    subject = manifests(service())
    first, second = (plan(subject, stack).services[0].revision for stack in ("dev", "prod"))
    assert first.name != second.name


def test_weight_of_cpu_is_the_request_or_where_there_is_none_the_limit():
    weights = [
        only_container(with_container(cpu_millis=limit, cpu_request_millis=request)).cpu_weight_millis
        for limit, request in ((2000, None), (2000, 250), (1000, 0))
    ]
    assert weights == [2000, 250, 0]


@pytest.mark.parametrize(
    ("limit", "boosted"), [(80, 2000), (1000, 2000), (1500, 4000), (2000, 4000), (4000, 8000), (6000, 8000), (8000, 0)]
)
def test_boost_is_cloud_runs_of_every_container_and_another_revision(limit, boosted):
    held = with_container(cpu_millis=limit)
    eager = dataclasses.replace(held, template=dataclasses.replace(held.template, startup_cpu_boost=True))
    assert only_container(held).startup_cpu_millis == 0
    assert only_container(eager).startup_cpu_millis == boosted
    assert (revision(held).name == revision(eager).name) == (not boosted)

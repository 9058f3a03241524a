from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runyard import names
from runyard.contracts import RevisionSpec, TemplateSpec, encode
from runyard.errors import ContractError, HostError
from services.orchestrator.descriptions import (
    addresses_of,
    addresses_of_network,
    assemble_instances,
    assemble_revisions,
    read_template,
    start_order,
)
from services.orchestrator.state import DEFAULT_GRACE_S, Container, Template

NETWORK = "runyard.s.tenant.shop"
SPEC = RevisionSpec("web", 8080, ("app", "proxy"), termination_grace_s=7)


def inspection(role: str, container: str = "app", **changes: Any) -> dict[str, Any]:
    spec = TemplateSpec(container, 64, revision=SPEC if container == "app" else None)
    labels = {
        names.STACK: "s",
        names.TENANT: "shop",
        names.SERVICE: "web",
        names.REVISION: "web-1",
        names.ROLE: role,
        names.SPEC: encode(spec),
        **changes.pop("labels", {}),
    }
    return {
        "Id": f"{role}-{container}",
        "Image": "sha256:1",
        "Config": {"Labels": labels},
        "HostConfig": {},
        "NetworkSettings": {"Networks": {NETWORK: {"IPAMConfig": {"IPv4Address": "10.1.0.9"}}}},
        "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False},
        **changes,
    }


def template(container: str, *depends_on: str, revision: bool = False) -> Template:
    spec = TemplateSpec(container, 64, depends_on=depends_on, revision=SPEC if revision else None)
    return Template(container, "shop", "web", "web-1", spec, "net", "i")


def test_template_is_read_from_its_labels() -> None:
    read = read_template(inspection(names.ROLE_TEMPLATE))
    assert (read.tenant, read.service, read.revision, read.network) == ("shop", "web", "web-1", NETWORK)
    assert (read.image, read.spec.revision) == ("sha256:1", SPEC)


def test_template_never_shows_its_environment() -> None:
    read = read_template(inspection(names.ROLE_TEMPLATE, HostConfig={"Binds": ["hush"]}))
    assert "hush" not in repr(read)


def test_template_with_a_label_of_another_version_is_refused() -> None:
    text = encode(TemplateSpec("app", 64)).replace('"version":1', '"version":9')
    with pytest.raises(ContractError) as caught:
        read_template(inspection(names.ROLE_TEMPLATE, labels={names.SPEC: text}))
    assert str(caught.value) == "decode TemplateSpec: version: must be 1, got 9"


def test_revision_is_complete_only_with_every_template() -> None:
    app, proxy = template("app", revision=True), template("proxy")
    assert assemble_revisions([app]) == {}
    assert assemble_revisions([proxy]) == {}
    assert list(assemble_revisions([proxy, app])) == ["shop/web-1"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_revision_that_was_mended_under_its_name_is_made_of_the_newer_template(order: tuple[int, int]) -> None:
    # Docker leaves zeros at the end of a second's fraction out.
    times = ("2026-11-23T12:00:01.12Z", "2026-11-23T12:00:01.123Z")
    spec = replace(SPEC, containers=("app",))
    label = {names.SPEC: encode(TemplateSpec("app", 64, revision=spec))}
    made = [read_template(inspection(names.ROLE_TEMPLATE, Id=at, Created=at, labels=label)) for at in times]
    (revision,) = assemble_revisions([made[place] for place in order]).values()
    assert [each.id for each in revision.templates] == [times[1]]


def test_start_order_puts_dependencies_first_and_keeps_the_rest() -> None:
    ordered = start_order([template("app", "db"), template("log"), template("db")])
    assert [each.spec.container for each in ordered] == ["log", "db", "app"]


def test_start_order_of_a_cycle_still_has_everybody_once() -> None:
    ordered = start_order([template("a", "b"), template("b", "a")])
    assert [each.spec.container for each in ordered] == ["a", "b"]


def clone(container: str, key: str = "7f", **changes: Any) -> dict[str, Any]:
    labels = {names.INSTANCE: key, names.CONTAINER: container, **changes.pop("labels", {})}
    return inspection(names.ROLE_INSTANCE, container, labels=labels, **changes)


def test_instance_is_its_containers_under_the_owner_s_address() -> None:
    inside = clone("proxy", NetworkSettings={"Networks": {}}, State={"Status": "exited", "ExitCode": 2})
    (instance,) = assemble_instances([inside, clone("app")])
    assert (instance.id, instance.key, instance.service_key) == ("7f", "shop/web-1", "shop/web")
    assert (instance.address, instance.network, instance.grace_s) == ("10.1.0.9", NETWORK, 7)
    assert instance.containers == (
        Container("instance-app", "app", "running"),
        Container("instance-proxy", "proxy", "exited", exit_code=2),
    )


def test_instances_are_ordered_by_id() -> None:
    assert [each.id for each in assemble_instances([clone("app", "2"), clone("app", "1")])] == ["1", "2"]


def test_instance_with_an_unreadable_spec_can_still_be_drained() -> None:
    (instance,) = assemble_instances([clone("app", labels={names.SPEC: "{"})])
    assert instance.grace_s == DEFAULT_GRACE_S


def test_stopped_instance_keeps_the_address_it_reserved() -> None:
    networks = {"net": {"IPAMConfig": {"IPv4Address": "10.1.0.9"}, "IPAddress": ""}}
    assert addresses_of(clone("app", NetworkSettings={"Networks": networks})) == {"net": "10.1.0.9"}


def test_address_that_docker_chose_counts_too() -> None:
    networks = {"net": {"IPAMConfig": None, "IPAddress": "10.1.0.4"}}
    assert addresses_of(clone("app", NetworkSettings={"Networks": networks})) == {"net": "10.1.0.4"}


def test_network_tells_its_subnet_and_what_is_taken() -> None:
    endpoints = {"1": {"IPv4Address": "10.1.0.4/24"}, "2": {"IPv4Address": ""}}
    network = {"Name": "net", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}, "Containers": endpoints}
    assert addresses_of_network(network) == ("10.1.0.0/24", {"10.1.0.1", "10.1.0.4"})


def test_network_with_only_ipv6_is_refused_by_name() -> None:
    with pytest.raises(HostError) as caught:
        addresses_of_network({"Name": "net", "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}})
    assert str(caught.value) == "read network net: it has no IPv4 subnet"

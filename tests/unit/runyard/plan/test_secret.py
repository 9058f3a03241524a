"""Secrets in a plan: which keys become variables and files, and what is told to be missing."""

from __future__ import annotations

import pytest

from runyard.contracts import SecretValue
from runyard.manifest.model import (
    Container,
    EnvFrom,
    EnvVar,
    FileSource,
    KeyReference,
    Service,
    Values,
    Volume,
    VolumeItem,
    VolumeMount,
)
from runyard.plan import ServicePlan, plan
from runyard.plan.secret import (
    describe_missing,
    files_of,
    has_value,
    secret_value,
    values_of_manifests,
    variables_of,
)
from tests.unit.runyard.plan.example import container, manifests, service, template

DIGESTS = {
    "db/user": "u",
    "db/password": "p",
    "db/tls.crt": "c",
    "db/../evil": "e",
    "db-other/user": "o",
    "token/latest": "t",
    "token/1": "t",
}
SET, TENANT = "runyard secret set", "--tenant default"


def missing(subject: Service) -> list[str]:
    return list(describe_missing(subject, DIGESTS))


def test_value_is_named_by_its_digest_and_an_unknown_one_has_none() -> None:
    assert secret_value("secret", "db", "user", DIGESTS) == SecretValue("db", "user", "u")
    assert secret_value("configMap", "db", "absent", DIGESTS) == SecretValue("db", "absent", "")
    assert (has_value("secret", "db", "user", DIGESTS), has_value("secret", "db", "absent", DIGESTS)) == (True, False)


def test_what_manifests_hold_counts_where_the_stack_has_none_and_kinds_of_one_name_are_two() -> None:
    held = {"configMap:db/user": "c", "configMap:db/size": "s", "secret:db/size": "x", **DIGESTS}
    assert secret_value("configMap", "db", "user", held) == SecretValue("db", "user", "u")
    assert secret_value("configMap", "db", "size", held) == SecretValue("configMap:db", "size", "s")
    assert secret_value("secret", "db", "size", held) == SecretValue("secret:db", "size", "x")
    assert has_value("secret", "db", "size", held)
    assert not has_value("secret", "db-other", "size", held)
    assert sorted(variables_of(EnvFrom("configMap", "db"), held)) == ["password", "size", "tls.crt", "user"]
    assert [each.path for each in files_of(FileSource("secret", "db"), held)] == [
        "password",
        "size",
        "tls.crt",
        "user",
    ]


def test_values_of_manifests_are_those_of_one_tenant_by_kind_name_and_key() -> None:
    held = (
        Values("configMap", "default", "a", {"k": "1"}),
        Values("secret", "default", "a", {"k": "2"}),
        Values("secret", "other", "a", {"k": "3"}),
    )
    found = values_of_manifests(manifests(values=held), "default")
    assert found == {"configMap:a/k": "1", "secret:a/k": "2"}
    assert "2" not in repr(held[1])


def test_new_value_of_a_config_map_is_a_new_revision_and_shown() -> None:
    colour = EnvVar("COLOUR", reference=KeyReference("configMap", "settings", "colour"))
    mounted = container(env=(colour,), env_from=(EnvFrom("secret", "keys"),))
    subject = service(template=template(containers=(mounted,)))

    def planned(value: str, secret: str = "s") -> ServicePlan:
        held = (
            Values("configMap", "default", "settings", {"colour": value}),
            Values("configMap", "default", "unused", {"a": "b"}),
            Values("secret", "default", "keys", {"KEY": secret}),
        )
        return plan(manifests(subject, values=held)).services[0]

    first, second, third = planned("green"), planned("red"), planned("green", "t")
    assert len({each.revision.name for each in (first, second, third)}) == 3
    assert first.facts["configMaps"] == {"settings": {"colour": "green"}}
    assert [each.name for each in first.revision.document.secrets] == ["configMap:settings", "secret:keys"]


def test_all_keys_that_can_be_variables_are_with_the_prefix_before_them() -> None:
    assert variables_of(EnvFrom("secret", "db", "DB_"), DIGESTS) == {
        "DB_password": SecretValue("db", "password", "p"),
        "DB_tls.crt": SecretValue("db", "tls.crt", "c"),
        "DB_user": SecretValue("db", "user", "u"),
    }


def test_secret_of_one_value_is_one_file_and_no_variables() -> None:
    assert variables_of(EnvFrom("secret", "token"), DIGESTS) == {}
    assert files_of(FileSource("secret", "token"), DIGESTS) == (VolumeItem("latest", "token"),)


def test_files_are_all_keys_that_can_be_names_in_their_order() -> None:
    assert [each.path for each in files_of(FileSource("configMap", "db"), DIGESTS)] == ["password", "tls.crt", "user"]


@pytest.mark.parametrize(("optional", "expected"), [(False, ["a", "b"]), (True, ["a"])])
def test_files_that_are_named_are_all_but_optional_ones_without_a_value(optional: bool, expected: list[str]) -> None:
    items = (VolumeItem("user", "a", 0o400), VolumeItem("absent", "b"))
    assert [each.path for each in files_of(FileSource("secret", "db", items, optional), DIGESTS)] == expected


def test_everything_that_is_there_or_optional_is_not_missing() -> None:
    holder = container(
        env=(
            EnvVar("A", reference=KeyReference("secret", "db", "user")),
            EnvVar("B", reference=KeyReference("secret", "db", "absent", optional=True)),
            EnvVar("C", "plain"),
        ),
        env_from=(EnvFrom("secret", "db"), EnvFrom("secret", "absent", optional=True)),
        volume_mounts=(VolumeMount("files", "/files"),),
    )
    sources = (FileSource("secret", "token"), FileSource("secret", "absent", optional=True))
    volumes = (Volume("files", "projected", sources), Volume("unused", "secret", (FileSource("secret", "absent"),)))
    assert missing(service(template=template(containers=(holder,), volumes=volumes))) == []


def test_everything_that_is_missing_is_told_with_the_way_to_set_it() -> None:
    first = Container("first", "a:1", env=(EnvVar("A", reference=KeyReference("configMap", "db", "absent")),))
    holder = container(
        env_from=(EnvFrom("secret", "token"), EnvFrom("configMap", "absent")),
        volume_mounts=(VolumeMount("files", "/files"),),
    )
    sources = (
        FileSource("secret", "db", (VolumeItem("absent", "a"), VolumeItem("user", "b"))),
        FileSource("secret", "x"),
    )
    shape = template(containers=(holder,), init_containers=(first,), volumes=(Volume("files", "projected", sources),))
    place = "manifests/hello.yaml:1:1: "
    assert missing(service(template=shape)) == [
        f"{place}env A: configMap db has no key absent in this stack ({SET} db/absent {TENANT})",
        f"{place}envFrom: secret token has one value and no keys in this stack ({SET} token/KEY {TENANT})",
        f"{place}envFrom: configMap absent has no keys in this stack ({SET} absent/KEY {TENANT})",
        f"{place}volume files: secret db has no key absent in this stack ({SET} db/absent {TENANT})",
        f"{place}volume files: secret x has no keys in this stack ({SET} x {TENANT})",
    ]

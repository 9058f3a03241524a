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
    Volume,
    VolumeItem,
    VolumeMount,
)
from runyard.plan.secret import describe_missing, files_of, has_value, secret_value, variables_of
from tests.unit.runyard.plan.example import container, service, template

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
    assert secret_value("db", "user", DIGESTS) == SecretValue("db", "user", "u")
    assert secret_value("db", "absent", DIGESTS) == SecretValue("db", "absent", "")
    assert (has_value("db", "user", DIGESTS), has_value("db", "absent", DIGESTS)) == (True, False)


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

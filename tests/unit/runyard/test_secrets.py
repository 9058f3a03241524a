import dataclasses
from typing import Any

import pytest

from runyard.errors import UsageError
from runyard.manifest.model import EnvVar, KeyReference, Values
from runyard.plan import plan
from runyard.secrets import (
    check_references,
    digest_secrets,
    flatten_certificates,
    flatten_secrets,
    values_of,
    with_manifests,
)
from tests.unit.runyard.plan.example import container, manifests, service, template


def subject(optional=False, **changes):
    token = EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest", optional))
    return manifests(service(template=template(containers=(container(env=(token,)),)), **changes))


def document(optional=False, secrets=None):
    planned = plan(subject(optional), secret_digests=digest_secrets(secrets or {}))
    return planned.services[0].revision.document


def test_flat_secrets_answer_cloud_runs_version_keys_and_knatives_own_keys():
    config = {"default": {"api": "s3cret", "db": {"user": "u", "port": 5432}}}
    assert flatten_secrets(config) == {
        "default": {"api/latest": "s3cret", "api/1": "s3cret", "db/user": "u", "db/port": "5432"}
    }


def test_flat_secrets_refuse_a_tenant_that_maps_nothing():
    with pytest.raises(UsageError, match=r"^config runyard:secrets\.default: must map secret names to values$"):
        flatten_secrets({"default": "s3cret"})


def test_digests_differ_by_value_and_by_name_and_hold_no_value():
    digests = digest_secrets({"a": {"x/latest": "s3cret", "y/latest": "s3cret", "z/latest": "other"}})["a"]
    assert len(set(digests.values())) == 3
    assert all("s3cret" not in digest for digest in digests.values())
    assert digest_secrets({"a": {"x/latest": "s3cret"}})["a"]["x/latest"] == digests["x/latest"]


def test_digest_is_made_when_it_is_first_asked_for():
    # What cannot be hashed tells when it is.
    digests = digest_secrets({"a": {"x/latest": "s3cret", "y/latest": "\ud800"}})["a"]
    assert len(digests["x/latest"]) == 64
    assert ("y/latest" in digests, "z/latest" in digests, list(digests), len(digests)) == (
        True,
        False,
        ["x/latest", "y/latest"],
        2,
    )
    with pytest.raises(UnicodeEncodeError):
        digests["y/latest"]


def test_reference_without_a_value_is_refused_with_the_command_that_sets_it():
    with pytest.raises(UsageError) as caught:
        check_references(subject(), {"other": {"api/latest": "x"}})
    assert str(caught.value) == (
        "manifests/hello.yaml:1:1: env TOKEN: secret api has no key latest in this stack "
        "(runyard secret set api --tenant default)"
    )


def test_references_of_every_service_are_told_at_once():
    both = manifests(*subject().services, *subject(name="other").services)
    with pytest.raises(UsageError) as caught:
        check_references(both, {})
    assert len(str(caught.value).splitlines()) == 2


def test_reference_with_a_value_or_optional_passes():
    check_references(subject(), {"default": {"api/latest": "x"}})
    check_references(subject(optional=True), {})


def test_values_of_a_document_are_by_the_digests_that_it_names():
    secrets = {"default": {"api/latest": "s3cret", "other/latest": "unused"}}
    found = document(secrets=secrets)
    assert values_of(found, secrets["default"]) == {digest_secrets(secrets)["default"]["api/latest"]: "s3cret"}
    assert "s3cret" not in repr(found)
    assert values_of(document(optional=True), {}) == {}


def test_value_of_a_document_that_the_stack_lacks_is_named():
    found = document()
    with pytest.raises(UsageError) as caught:
        values_of(found, {})
    assert str(caught.value) == f"revision {found.name}: secret api has no key latest in this stack"


PAIR = {"certificate": "-----BEGIN CERTIFICATE-----\n", "key": "-----BEGIN PRIVATE KEY-----\n"}


def test_certificates_are_read_by_name() -> None:
    assert flatten_certificates({}) == {}
    assert flatten_certificates({"shop": PAIR}) == {"shop": {"chain": PAIR["certificate"], "key": PAIR["key"]}}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"Shop": PAIR}, "config runyard:certificates.Shop: the name must be a DNS label"),
        ({"a": "x"}, "config runyard:certificates.a: must have certificate and key, both PEM, and nothing else"),
        ({"a": {"key": PAIR["key"]}}, "config runyard:certificates.a: must have certificate and key, both PEM"),
        ({"a": {**PAIR, "chain": "x"}}, "config runyard:certificates.a: must have certificate and key, both PEM"),
        ({"a": {**PAIR, "key": "secret"}}, "config runyard:certificates.a: certificate and key must be PEM"),
        ({"a": {**PAIR, "key": 5}}, "config runyard:certificates.a: certificate and key must be PEM"),
    ],
)
def test_certificate_that_is_none_is_told_without_its_value(config: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        flatten_certificates(config)
    assert str(caught.value).startswith(told)
    assert "secret" not in str(caught.value)


def test_what_manifests_hold_answers_references_and_is_given_by_its_digest():
    held = Values("secret", "default", "api", {"latest": "in the open"})
    set_ = dataclasses.replace(subject(), values=(held,))
    check_references(set_, {})
    found = plan(set_).services[0].revision.document
    assert list(values_of(found, with_manifests(set_, {})["default"]).values()) == ["in the open"]
    stacks = {"default": {"api/latest": "stack's own"}, "other": {"x/latest": "y"}}
    found = plan(set_, secret_digests=digest_secrets(stacks)).services[0].revision.document
    assert list(values_of(found, with_manifests(set_, stacks)["default"]).values()) == ["stack's own"]
    assert with_manifests(set_, stacks)["other"] == {"x/latest": "y"}

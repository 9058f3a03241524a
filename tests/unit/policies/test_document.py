"""Rules of documents: for each what it passes and what it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import document
from runyard.contracts import FilesMount, MemoryMount, RevisionDocument, SecretFile, SecretValue, VolumeMount
from tests.unit.policies.resources import planned
from tests.unit.runyard.plan import example

BY_ID = {rule.id: rule for rule in document.RULES}
SECRET = SecretValue("db", "latest")


def made(**changes: Any) -> RevisionDocument:
    (service,) = planned(example.manifests(example.service(**changes))).services
    return service.revision.document


def mounting(**mounts: Any) -> RevisionDocument:
    (first,) = made().containers
    return replace(made(), containers=(replace(first, **mounts),))


MINE = made()
FAILING: list[tuple[str, RevisionDocument, str]] = [
    (
        "service-on-own-network",
        replace(MINE, network="host"),
        "network must be runyard.dev.tenant.default or runyard.dev.tenant.default.internal, got host",
    ),
    (
        "service-on-own-network",
        replace(MINE, network="runyard.dev.tenant.bank"),
        "network must be runyard.dev.tenant.default or runyard.dev.tenant.default.internal, "
        "got runyard.dev.tenant.bank",
    ),
    ("service-names-plain", replace(MINE, identity="../../x"), f"identity must be {MINE.name} or "),
    ("service-names-plain", replace(MINE, name="a/b", identity="a/b"), "names must be DNS labels, got 'a/b'"),
    (
        "service-names-plain",
        replace(MINE, init_containers=(replace(MINE.containers[0], name="A"),)),
        "names must be DNS labels, got 'A'",
    ),
    (
        "service-labels-open",
        replace(MINE, labels={"team": "a", "runyard.dev/tenant": "bank"}),
        "label runyard.dev/tenant must be left out, got it",
    ),
    (
        "service-mounts-inside",
        mounting(volume_mounts=(VolumeMount("v", "/data", sub_path="a/../../b"),)),
        "container hello: a path inside a mount must stay there, got 'a/../../b'",
    ),
    (
        "service-mounts-inside",
        mounting(file_mounts=(FilesMount("/secrets", (SecretFile("/etc/x", SECRET),)),)),
        "container hello: a path inside a mount must stay there, got '/etc/x'",
    ),
    (
        "service-mounts-inside",
        mounting(memory_mounts=(MemoryMount("tmp/../..", 1),)),
        "container hello: a mount must be at an absolute path, got 'tmp/../..'",
    ),
]


@pytest.mark.parametrize(("rule", "given", "message"), FAILING)
def test_rule_tells_what_breaks_it(rule: str, given: RevisionDocument, message: str) -> None:
    (said,) = BY_ID[rule].check(given)
    assert said.startswith(message)


def test_every_rule_has_a_failing_case() -> None:
    assert {rule for rule, _, _ in FAILING} == set(BY_ID)


@pytest.mark.parametrize(
    "given",
    [
        MINE,
        made(egress="none", tenant="shop"),
        made(template=example.template(name="hello-chosen", labels={"team": "a"})),
        mounting(
            volume_mounts=(VolumeMount("v", "/data", sub_path="a/b"),),
            file_mounts=(FilesMount("/secrets", (SecretFile("db/latest", SECRET),)),),
        ),
    ],
    ids=["plain", "internal", "chosen name", "mounts"],
)
def test_document_as_manifests_make_it_keeps_every_rule(given: RevisionDocument) -> None:
    assert [message for rule in document.RULES for message in rule.check(given)] == []

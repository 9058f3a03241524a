"""Analyzer: what reaches the rules of what Pulumi's engine asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, StackValidationPolicy

from policies.analyzer import _SECRET_MARK, Analyzer
from policies.handwritten import HANDWRITTEN_RULES
from policies.pack import validation
from policies.resource import CONTAINER, RESOURCE_RULES
from policies.stack import NETWORK

PRIVILEGED = {"privileged": True}


def analyzer(*policies: Any) -> Any:
    return Analyzer("runyard", "0.0.1", list(policies), EnforcementLevel.MANDATORY, None)


def properties(values: dict[str, Any]) -> Struct:
    found = Struct()
    found.update(values)
    return found


def asked(kind: str) -> Any:
    urn = f"urn:pulumi:dev::runyard::{kind}::strange"
    return analyzer_pb2.AnalyzeRequest(type=kind, name="strange", urn=urn, properties=properties(PRIVILEGED))


def test_container_reaches_the_rules_and_nothing_else_does() -> None:
    subject = analyzer(ResourceValidationPolicy("resources", "d", validation(RESOURCE_RULES)))
    said = [each.message for each in subject.Analyze(asked(CONTAINER), None).diagnostics]
    assert any("not-privileged: strange: " in message for message in said)
    assert len(subject.Analyze(asked(NETWORK), None).diagnostics) == 0


def test_what_pulumi_keeps_as_a_secret_is_no_plain_one() -> None:
    subject = analyzer(ResourceValidationPolicy("resources", "d", validation(HANDWRITTEN_RULES)))
    request = asked(CONTAINER)
    plain = {"image": "shop/web:1", "envs": ["DB_PASSWORD=hunter2"]}
    request.properties.update(plain)
    assert ["own-environment-plain" in each.message for each in subject.Analyze(request, None).diagnostics] == [True]
    request.properties.update({"envs": {_SECRET_MARK: "1b47061264138c4ac30d75fd1eb44270", "value": plain["envs"]}})
    assert len(subject.Analyze(request, None).diagnostics) == 0


def test_stack_is_what_rules_of_stacks_look_at() -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(args: Any, _report: Any) -> None:
        seen.extend((each.resource_type, dict(each.props)) for each in args.resources)

    kinds: Sequence[str] = (CONTAINER, "runyard:service:Service", NETWORK)
    resources = [analyzer_pb2.AnalyzerResource(type=kind, properties=properties(PRIVILEGED)) for kind in kinds]
    subject = analyzer(StackValidationPolicy("stack", "d", note))
    subject.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources), None)
    assert seen == [(CONTAINER, PRIVILEGED), (NETWORK, PRIVILEGED)]


def test_nothing_is_changed_without_asking() -> None:
    subject = analyzer(ResourceValidationPolicy("resources", "d", validation(RESOURCE_RULES)))
    assert len(subject.Remediate(asked(CONTAINER), None).remediations) == 0

"""Verdict: order, waivers with their days, environments, and rules that throw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policies.environment import environment_of
from policies.rule import Context, Rule, Violation, of_service
from policies.verdict import judge
from runyard.errors import PolicyError
from runyard.manifest import load
from tests.unit.runyard.plan.example import container, manifests, service, template

ROOT = Path(__file__).parents[3]
UNTAGGED = template(containers=(container(image="shop/web"),))


def context(day: str = "2026-11-23", waive: str = "", **changes: Any) -> Context:
    annotations = {"runyard.dev/waive": waive} if waive else {}
    return Context(manifests(service(template=UNTAGGED, annotations=annotations, **changes)), day)


def throwing(_context: Context) -> Iterator[Violation]:
    yield Violation("one thing")
    raise ZeroDivisionError("division by zero")


def rule(check: Any, **changes: Any) -> Rule:
    return Rule("tried", "It holds.", changes.pop("severity", "mandatory"), "mend it", check, **changes)


def test_finding_tells_place_rule_message_and_fix() -> None:
    (finding,) = judge(context()).findings
    assert finding.text() == (
        "manifests/hello.yaml:1:1: image-tagged: container hello: image must name a tag or digest, got shop/web "
        "(add a tag or a digest)"
    )
    assert finding.page == "docs/policies.md#image-tagged"


def test_violation_with_a_fix_of_its_own_tells_that_one() -> None:
    given = rule(lambda _given: [Violation("first"), Violation("second", fix="do this")])
    assert [finding.text() for finding in judge(context(), [given]).findings] == [
        "tried: first (mend it)",
        "tried: second (do this)",
    ]


@pytest.mark.parametrize(("day", "counts"), [("2027-01-31", True), ("2027-02-01", False)])
def test_waiver_counts_until_its_day_is_over(day: str, counts: bool) -> None:
    verdict = judge(context(day, "image-tagged until 2027-01-31 because the vendor has no tags"))
    assert bool(verdict.waived) is counts
    assert [finding.rule for finding in verdict.findings] == ([] if counts else ["image-tagged", "waiver-not-expired"])


@pytest.mark.parametrize("until", ["2028-02-02", "9999-12-31"])
def test_waiver_of_more_than_a_year_sets_nothing_aside_and_refuses(until: str) -> None:
    verdict = judge(context("2027-01-31", f"image-tagged until {until} because nobody will look"))
    assert [finding.rule for finding in verdict.findings] == ["waiver-within-a-year", "image-tagged"]
    assert [finding.rule for finding in verdict.refusals] == ["waiver-within-a-year"]


def test_waived_finding_is_listed_with_day_and_reason() -> None:
    (finding,) = judge(context(waive="image-tagged until 2027-01-31 because the vendor has no tags")).waived
    assert finding.text().endswith(", waived until 2027-01-31 because the vendor has no tags")


def test_waiver_is_of_its_own_service_alone() -> None:
    waiving = service(
        name="a", template=UNTAGGED, annotations={"runyard.dev/waive": "image-tagged until 2027-01-31 because x"}
    )
    verdict = judge(Context(manifests(waiving, service(name="b", template=UNTAGGED)), "2026-11-23"))
    assert [finding.service for finding in verdict.findings] == ["b"]
    assert [finding.service for finding in verdict.waived] == ["a"]


def test_several_waivers_are_separated_by_semicolons() -> None:
    text = "image-tagged until 2027-01-31 because a; non-root-user until 2027-01-31 because b"
    shape = template(containers=(container(image="shop/web", run_as_user=0),))
    subject = service(template=shape, annotations={"runyard.dev/waive": text})
    verdict = judge(Context(manifests(subject), "2026-11-23"))
    assert [finding.reason for finding in verdict.waived] == ["a", "b"]
    assert verdict.findings == ()


def test_rule_that_throws_refuses_the_change() -> None:
    (finding,) = judge(context(), [rule(throwing, severity="advisory")]).refusals
    assert (finding.rule, finding.severity) == ("policy-error", "mandatory")
    assert finding.message == "rule tried failed: ZeroDivisionError: division by zero"


def test_verdict_that_refuses_says_every_reason() -> None:
    judge(context()).check()
    two = rule(lambda _given: [Violation("first"), Violation("second")])
    with pytest.raises(PolicyError) as raised:
        judge(context(), [two]).check()
    assert str(raised.value) == (
        "policies refuse the change, nothing was touched:\ntried: first (mend it)\ntried: second (mend it)"
    )


def test_rule_that_throws_hides_nothing_of_the_others() -> None:
    others = rule(lambda given: [of_service(each, "seen") for each in given.manifests.services])
    assert [finding.message for finding in judge(context(), [rule(throwing), others]).refusals] == [
        "rule tried failed: ZeroDivisionError: division by zero",
        "seen",
    ]


def test_rule_that_cannot_be_waived_is_not() -> None:
    fixed = rule(lambda given: [of_service(each, "seen") for each in given.manifests.services], waivable=False)
    verdict = judge(context(waive="tried until 2027-01-31 because x"), [fixed])
    assert (len(verdict.refusals), verdict.waived) == (1, ())


def test_rules_of_production_rest_elsewhere() -> None:
    strict = rule(lambda _given: [Violation("seen")], production_only=True)
    given = context()
    assert judge(given, [strict]).findings == ()
    production = Context(given.manifests, given.day, "production")
    assert [finding.message for finding in judge(production, [strict]).findings] == ["seen"]


@pytest.mark.parametrize(
    ("stack", "environment"),
    [
        ("dev", "development"),
        ("prod", "production"),
        ("shop-prod", "production"),
        ("eu_production", "production"),
        ("live", "production"),
        ("PROD", "production"),
        ("Production", "production"),
        ("prod1", "production"),
        ("eu2.prod", "production"),
        ("shopProd", "production"),
        ("PRODEu", "production"),
        ("pre-prod", "production"),
        ("prd", "production"),
        ("nonprod", "development"),
        ("delivery", "development"),
        ("PRODUCT", "development"),
        ("acme", "development"),
        ("", "development"),
        ("product", "development"),
        ("reproduce", "development"),
    ],
)
def test_environment_is_told_by_a_word_of_the_stacks_name(stack: str, environment: str) -> None:
    assert environment_of(stack) == environment


def test_mandatory_findings_come_first_then_order_is_by_place() -> None:
    services = [service(name=name, template=UNTAGGED, uses=("absent",)) for name in ("b", "a")]
    found = judge(Context(manifests(*services), "2026-11-23")).findings
    assert [(finding.severity, finding.service) for finding in found] == [
        ("mandatory", "a"),
        ("mandatory", "b"),
        ("advisory", "a"),
        ("advisory", "b"),
    ]


@pytest.mark.parametrize("example", ["hello.yaml", "shop", "reference.yaml"])
def test_examples_are_admitted(example: str) -> None:
    verdict = judge(Context(load([ROOT / "manifests" / example]).manifests, "2026-11-23"))
    assert [finding.text() for finding in verdict.findings] == []


@pytest.mark.parametrize("example", sorted((ROOT / "manifests" / "faults").iterdir()), ids=lambda path: path.stem)
def test_examples_of_faults_are_admitted(example: Path) -> None:
    assert judge(Context(load([example]).manifests, "2026-11-23")).refusals == ()

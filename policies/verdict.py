"""Verdict: every rule asked, waivers counted, and anything that fails on the way taken for a breach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies.rule import DOCS, Context, Finding, Rule, Violation
from policies.rules import RULES
from policies.waiver import Waiver, parse_waivers
from runyard.errors import PolicyError
from runyard.manifest.model import Location

ERROR_RULE = "policy-error"
_ORDER = {"mandatory": 0, "advisory": 1}
_NOWHERE = Location("", 0, 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say, in stable order: breaches that count, and those that are waived."""

    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...]

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings that refuse the change."""
        return tuple(finding for finding in self.findings if finding.severity == "mandatory")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not."""
        return tuple(finding for finding in self.findings if finding.severity == "advisory")

    def check(self) -> None:
        """Raise PolicyError with every reason if one finding refuses the change."""
        if self.refusals:
            lines = "\n".join(finding.text() for finding in self.refusals)
            raise PolicyError(f"policies refuse the change, nothing was touched:\n{lines}")


def judge(context: Context, rules: Sequence[Rule] = RULES) -> Verdict:
    """Ask every rule that holds in this environment; a rule that throws is itself a refusal."""
    waivers = {
        (waiver.tenant, waiver.service, waiver.rule): waiver
        for service in context.manifests.services
        for waiver in parse_waivers(service)
        if isinstance(waiver, Waiver) and waiver.holds(context.day)
    }
    found = [finding for rule in rules for finding in _ask(rule, context, waivers)]
    found.sort(key=_order)
    counted = tuple(finding for finding in found if not finding.waived)
    return Verdict(counted, tuple(finding for finding in found if finding.waived))


def _ask(rule: Rule, context: Context, waivers: Mapping[tuple[str, str, str], Waiver]) -> Iterator[Finding]:
    if rule.production_only and context.environment != "production":
        return
    try:
        # All of it inside: a generator throws only when it is read.
        violations = list(rule.check(context))
    except Exception as error:
        # Whatever a rule stumbles over, the change was not judged: that refuses it (fail closed).
        message = f"rule {rule.id} failed: {type(error).__name__}: {error}"
        fix = "mend the rule, or what it looked at"
        yield Finding(ERROR_RULE, "mandatory", message, fix, f"{DOCS}#{ERROR_RULE}")
        return
    for violation in violations:
        waiver = waivers.get((violation.tenant, violation.service, rule.id)) if rule.waivable else None
        yield _finding(rule, violation, waiver)


def _finding(rule: Rule, violation: Violation, waiver: Waiver | None) -> Finding:
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=violation.message,
        fix=violation.fix or rule.fix,
        page=rule.page,
        tenant=violation.tenant,
        service=violation.service,
        location=violation.location,
        until=waiver.until if waiver else "",
        reason=waiver.reason if waiver else "",
    )


def _order(finding: Finding) -> tuple[int, str, str, Location, str, str]:
    place = finding.location or _NOWHERE
    return _ORDER[finding.severity], finding.tenant, finding.service, place, finding.rule, finding.message

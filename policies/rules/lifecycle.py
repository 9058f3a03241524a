"""Rules of an instance's life: how long things are kept, and how long a rollout may hang."""

from __future__ import annotations

from collections.abc import Iterator

from policies.rule import Context, Rule, Violation, of_service

# An idle last instance is paid for; Cloud Run itself gives up after about a quarter of an hour.
_RETENTION_LIMIT_S = 900
# An update that holds the stack's lock for longer blocks everybody else's.
_DEADLINE_LIMIT_S = 1800


def check_retention(context: Context) -> Iterator[Violation]:
    """Find services whose last idle instance is kept for long."""
    for service in context.manifests.services:
        kept = service.template.scaling.retention_period_s
        if kept > _RETENTION_LIMIT_S:
            message = f"scale-to-zero-pod-retention-period must be at most {_RETENTION_LIMIT_S}s, got {kept}s"
            yield of_service(service, message)


def check_deadline(context: Context) -> Iterator[Violation]:
    """Find rollouts that may hang for long."""
    for service in context.manifests.services:
        deadline = service.template.progress_deadline_s
        if deadline > _DEADLINE_LIMIT_S:
            yield of_service(service, f"progress-deadline must be at most {_DEADLINE_LIMIT_S}s, got {deadline}s")


RULES = (
    Rule(
        "retention-short",
        "An idle service does not keep its last instance for long.",
        "advisory",
        "shorten the period, or set minScale if it is meant to stay",
        check_retention,
    ),
    Rule(
        "deadline-short",
        "A rollout that fails is told within half an hour.",
        "advisory",
        "shorten serving.knative.dev/progress-deadline",
        check_deadline,
        waivable=False,
    ),
)

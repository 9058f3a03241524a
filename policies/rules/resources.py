"""Rules of resources: limits, counts and the user that a container runs as."""

from __future__ import annotations

from collections.abc import Iterator

from policies.rule import Context, Rule, Violation, of_service

_MAX_SCALE = tuple(f"autoscaling.knative.dev/{name}" for name in ("maxScale", "max-scale"))
_SERVICE_MAX_SCALE = "run.googleapis.com/maxScale"


def check_limits(context: Context) -> Iterator[Violation]:
    """Find containers without a CPU or memory limit."""
    for service in context.manifests.services:
        for container in service.template.all_containers:
            for name, value in (("CPU", container.cpu_millis), ("memory", container.memory_bytes)):
                if value <= 0:
                    yield of_service(service, f"container {container.name}: must have a {name} limit, got {value}")


def check_max_scale(context: Context) -> Iterator[Violation]:
    """Find services that may grow to the default of 100 instances because nobody said otherwise."""
    for service in context.manifests.services:
        said = any(name in service.template.annotations for name in _MAX_SCALE)
        if not (said or _SERVICE_MAX_SCALE in service.annotations or service.manual_instance_count is not None):
            yield of_service(service, "must say its maxScale, got the default of 100")


def check_user(context: Context) -> Iterator[Violation]:
    """Find containers that are told to run as root."""
    for service in context.manifests.services:
        for container in service.template.all_containers:
            if container.run_as_user == 0:
                yield of_service(service, f"container {container.name}: runAsUser must not be 0 (root), got 0")


RULES = (
    Rule(
        "limits-present",
        "Every container has CPU and memory limits; files get them, so only code can break this.",
        "mandatory",
        "set resources.limits.cpu and memory",
        check_limits,
        waivable=False,
    ),
    Rule(
        "max-scale-given",
        "A service in production says how far it may grow.",
        "advisory",
        "set autoscaling.knative.dev/maxScale",
        check_max_scale,
        production_only=True,
    ),
    Rule("non-root-user", "A container does not ask for root.", "advisory", "set runAsUser to 10001, say", check_user),
)

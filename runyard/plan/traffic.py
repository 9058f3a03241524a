"""Traffic of a plan: what it may name while earlier revisions are not kept."""

from __future__ import annotations

from runyard.errors import ManifestError
from runyard.manifest.problems import Problem
from runyard.plan.model import Plan


def check_traffic(plan: Plan) -> None:
    """Require that traffic names only revisions that the plan makes; ManifestError lists every other.

    Pulumi removes the templates of a revision that no manifest makes any more, and with them its instances: traffic
    left on it would be answered with 503 although the update succeeded.
    """
    problems = [
        Problem(
            location=service.location,
            path="spec.traffic",
            message=f"must name the revision that this manifest makes ({service.revision.name}), got {share.revision}",
            rule="traffic.kept",
            hint="earlier revisions are not kept yet",
        )
        for service in plan.services
        for share in service.rollout.traffic
        if share.revision != service.revision.name
    ]
    if problems:
        raise ManifestError(problems)

"""Plan that an update is held to: which images its review has seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runyard.contracts import ImageIdentity
from runyard.pulumi.marks import PLAN_VARIABLE


def load_reviewed(environment: Mapping[str, str]) -> Mapping[str, ImageIdentity]:
    """Load what images stood for in the plan that the environment names; nothing where it names none.

    The program has read the plan before: where it no longer can be, the error ends the provider, and the update.
    """
    file = environment.get(PLAN_VARIABLE)
    if not file:
        return {}
    # Here, as it knows plans and manifests, which take longer to import than most updates need.
    from runyard.pulumi.binding import parse_binding

    return parse_binding(Path(file).read_text(encoding="utf-8")).images

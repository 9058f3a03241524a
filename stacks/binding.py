"""Binding of an update to a saved plan: `make up PLAN=plan.json` goes on only with what was reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runyard.contracts import ImageIdentity
from runyard.errors import UsageError
from runyard.host import Engine
from runyard.host.credentials import load_credentials
from runyard.host.image import observe_images
from runyard.pulumi.binding import bind, check_binding, images_to_bind, parse_binding
from runyard.pulumi.marks import PLAN_VARIABLE
from runyard.pulumi.state import parse_state
from stacks.admission import Admitted


def check_plan(environment: Mapping[str, str], admitted: Admitted, export: str) -> None:
    """Refuse what differs from the plan that the environment names, if it names one.

    `export` is the state as this update found it, which holds the stack's lock. Raises PlanError with what moved,
    ContractError for a file that is no plan, UsageError for one that cannot be read, HostError for an image that is not
    to be found. That it is the same image still when its revision is made, the provider sees to.
    """
    file = environment.get(PLAN_VARIABLE)
    if not file:
        return
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"read the plan {file}: {error}") from error
    saved = parse_binding(text)
    # Of an image that the plan does not have, the manifest has changed, which is told.
    wanted = [each for each in images_to_bind(admitted.plan, admitted.deployment.pasts) if each in saved.images]
    images: Mapping[str, ImageIdentity] = {}
    if wanted:
        with Engine() as engine:
            images = observe_images(engine, wanted, load_credentials)
    check_binding(
        saved, bind((saved.before, saved.after), admitted.manifests, admitted.plan, parse_state(export), images)
    )

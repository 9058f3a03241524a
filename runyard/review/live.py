"""Live part of a review: a stack is asked what it would do, and the plan that an update is to hold to is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from runyard import contracts, files
from runyard.contracts import ImageIdentity
from runyard.errors import PolicyError, UsageError
from runyard.git.side import Side
from runyard.host import Engine
from runyard.host.credentials import load_credentials
from runyard.host.image import observe_images
from runyard.plan import keep_revisions, plan
from runyard.pulumi.binding import bind, images_to_bind
from runyard.pulumi.deployment import check_form, describe_deployment
from runyard.pulumi.preview import parse_preview
from runyard.pulumi.stack import StackSource
from runyard.pulumi.state import parents_of, parse_state
from runyard.review import Review
from runyard.secrets import digest_secrets


def ask_stack(source: StackSource, found: Review, side: Side, save: str | None) -> tuple[Review, PolicyError | None]:
    """Add what Pulumi would do, and save the plan; a refusal comes back, so that the report is shown before it."""
    if not side.paths:
        raise UsageError(f"review: {found.after} must hold manifests to preview, got none")
    # Before the preview: what moves meanwhile is then found by the update.
    state = parse_state(source.export())
    deployment = describe_deployment(state)
    check_form(source.name, deployment)
    try:
        text = source.preview(side.paths)
    except PolicyError as error:
        return found, error
    found = replace(found, preview=parse_preview(source.name, text, parents_of(state)))
    if save is not None:
        planned = plan(side.manifests, source.name, digest_secrets(source.secrets()))
        planned = keep_revisions(planned, side.manifests, deployment.pasts)
        images: Mapping[str, ImageIdentity] = {}
        if wanted := images_to_bind(planned, deployment.pasts):
            with Engine() as engine:
                images = observe_images(engine, wanted, load_credentials)
        binding = bind((found.before, found.after), side.manifests, planned, state, images)
        try:
            files.write(Path(save), contracts.encode(binding) + "\n", mode=0o600)
        except OSError as error:
            raise UsageError(f"write {save}: {error.strerror}") from error
    return found, None

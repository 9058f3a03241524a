"""Command `review`: what changes between two commits, what it costs, and whether policies allow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from policies.environment import environment_of
from runyard.cli.cost import load_usages, parse_day
from runyard.cli.output import Output, reporting
from runyard.errors import ChangesError, ManifestError, PolicyError, RunyardError, UsageError
from runyard.git.side import Commit, Side, find_commit, find_place, name_paths, no_manifests, open_side
from runyard.manifest.model import Manifests
from runyard.names import service_key
from runyard.pulumi.stack import StackSource
from runyard.review import Review, Terms
from runyard.review import review as compare
from runyard.review.data import describe_review, render_sarif
from runyard.review.load import LoadReview, changed_services, review_load
from runyard.review.text import render_markdown, render_text


@click.command()
@click.argument("sides", nargs=-1, required=True, metavar="BASE..HEAD | OLD NEW")
@click.option("-f", "--file", "files", multiple=True, help="Manifests in the repository; its manifests by default.")
@click.option("-s", "--stack", default="dev", show_default=True, help="Stack whose environment counts.")
@click.option("--preview", is_flag=True, help="Ask Pulumi what it would do to the stack.")
@click.option("--config-file", type=click.Path(exists=True), help="The stack's configuration, as pulumi's own flag.")
@click.option("--save", metavar="FILE", help="Ask Pulumi, and save what `up --plan` is to hold to, if it is allowed.")
@click.option("--usage", "usage_file", metavar="FILE", help="Usage to expect of each service; all are small without.")
@click.option("--date", "day", metavar="YYYY-MM-DD", help="Day of prices and waivers; today (UTC) by default.")
@click.option("--expect-no-changes", is_flag=True, help="Exit with 7 if anything changes.")
@reporting("sarif")
def review(  # noqa: PLR0913 - click gives one parameter for each option
    sides: tuple[str, ...],
    files: tuple[str, ...],
    stack: str,
    preview: bool,
    config_file: str | None,
    save: str | None,
    usage_file: str | None,
    day: str | None,
    expect_no_changes: bool,
    out: Output,
) -> int:
    """Compare two commits of git, or two directories, of manifests.

    Exits with 0, with 7 if there are changes and none were expected, with 5 if a policy, quota or budget refuses HEAD,
    with 2 if manifests are invalid, and with 1 after another error.
    """
    names, places = _places(sides)
    paths = name_paths(files, places)
    before = _load_base(names[0], places[0], paths, out)
    with open_side(places[1], paths) as after:
        known = {service_key(each.tenant, each.name) for side in (before, after) for each in side.manifests.services}
        terms = Terms(parse_day(day), environment_of(stack), load_usages(usage_file, sorted(known)))
        warnings = (before.warnings, after.warnings)
        found = compare(before.manifests, after.manifests, names, terms, warnings=warnings)
        found = replace(found, load=_load(found, (before.manifests, after.manifests), stack))
        refusal: RunyardError | None = None
        # What the rules refuse already, Pulumi would refuse in the same words.
        if (preview or save) and not found.refused:
            # Imported here because a review without a stack needs no Docker, whose library takes a fifth of a second.
            from runyard.review.live import ask_stack

            found, refusal = ask_stack(StackSource(stack, config_file, usage_file), found, after, save)
    code = PolicyError.exit_code if found.refused else 0
    if expect_no_changes and found.changes and not code:
        code = ChangesError.exit_code
    out.show(
        lambda: describe_review(found),
        lambda: render_text(found),
        failed=bool(code or refusal),
        markdown=lambda: render_markdown(found),
        sarif=lambda: render_sarif(found),
    )
    if refusal is not None:
        raise refusal
    return code


def _load(found: Review, sides: tuple[Manifests, Manifests], stack: str) -> LoadReview | None:
    """Simulate changed services with what the stack recorded of them; None if there is nothing to ask it."""
    services = changed_services(found.changes)
    if not services:
        return None
    # Imported here because what changes no service asks no engine.
    from runyard.review.asking import ask_recorded

    return review_load(*sides, services, ask_recorded(stack, services), found.terms.day)


def _load_base(name: str, place: Commit | Path, paths: tuple[str, ...], out: Output) -> Side:
    """Load what was before; manifests that were invalid are none, or the change that mends them had no review."""
    try:
        with open_side(place, paths) as side:
            return side
    except ManifestError as error:
        out.warn([f"warning: {name} has {len(error.problems)} problems and is compared as if it were empty"])
        return Side(no_manifests())


def _places(sides: tuple[str, ...]) -> tuple[tuple[str, str], tuple[Commit | Path, Commit | Path]]:
    """Give the names of both sides, and where they are."""
    find: Callable[[str], Commit | Path] = find_place
    if len(sides) == 1 and ".." in sides[0]:
        before, _, after = sides[0].partition("..")
        # Git's own meaning of a side that is left out.
        sides = (before or "HEAD", after or "HEAD")
        # A change could bring a directory of its base's name and be compared with that.
        find = find_commit
    if len(sides) != 2 or any(side.startswith("-") for side in sides):
        raise UsageError(f"review: must be BASE..HEAD or two directories, got {' '.join(sides)!r}")
    return (sides[0], sides[1]), (find(sides[0]), find(sides[1]))

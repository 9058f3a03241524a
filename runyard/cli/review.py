"""Command `review`: what changes between two revisions, what it costs, and whether policies allow it."""

from __future__ import annotations

import click

from policies.rule import environment_of
from runyard.cli.checkouts import load_side, no_manifests
from runyard.cli.cost import load_usages, parse_day
from runyard.errors import ManifestError, PolicyError, UsageError, VerifyError
from runyard.manifest.model import Manifests
from runyard.names import service_key
from runyard.review import Terms
from runyard.review import review as compare
from runyard.review.data import render_json, render_sarif
from runyard.review.text import render_markdown, render_text

_RENDERERS = {"text": render_text, "json": render_json, "markdown": render_markdown, "sarif": render_sarif}
# As `pulumi preview --expect-no-changes` has its own: 7 is a difference where none was expected.
_UNEXPECTED = VerifyError.exit_code


@click.command()
@click.argument("sides", nargs=-1, required=True, metavar="BASE..HEAD | OLD NEW")
@click.option("-f", "--file", "paths", multiple=True, default=["manifests"], help="Manifests in the repository.")
@click.option("-o", "--output", type=click.Choice(sorted(_RENDERERS)), default="text", help="Form of the report.")
@click.option("-s", "--stack", default="dev", show_default=True, help="Stack whose environment counts.")
@click.option("--usage", "usage_file", metavar="FILE", help="Usage to expect of each service; all are small without.")
@click.option("--date", "day", metavar="YYYY-MM-DD", help="Day of prices and waivers; today (UTC) by default.")
@click.option("--expect-no-changes", is_flag=True, help="Exit with 7 if anything changes.")
def review(  # noqa: PLR0913 - click gives one parameter for each option
    sides: tuple[str, ...],
    paths: tuple[str, ...],
    output: str,
    stack: str,
    usage_file: str | None,
    day: str | None,
    expect_no_changes: bool,
) -> int:
    """Compare two git revisions, or two directories, of manifests.

    Exits with 0, with 7 if there are changes and none were expected, with 5 if a policy, quota or budget refuses HEAD,
    with 2 if manifests are invalid, and with 1 after another error.
    """
    names = _names(sides)
    before, after = _load_base(names[0], paths), load_side(names[1], paths).manifests
    known = {service_key(each.tenant, each.name) for side in (before, after) for each in side.services}
    terms = Terms(parse_day(day), environment_of(stack), load_usages(usage_file, sorted(known)))
    found = compare(before, after, names, terms)
    click.echo(_RENDERERS[output](found), nl=False)
    if found.refused:
        return PolicyError.exit_code
    return _UNEXPECTED if expect_no_changes and found.changes else 0


def _load_base(name: str, paths: tuple[str, ...]) -> Manifests:
    """Load what was before; manifests that were invalid are none, or the change that mends them had no review."""
    try:
        return load_side(name, paths).manifests
    except ManifestError as error:
        click.echo(f"warning: {name} has {len(error.problems)} problems and is compared as if it were empty", err=True)
        return no_manifests()


def _names(sides: tuple[str, ...]) -> tuple[str, str]:
    if len(sides) == 1 and ".." in sides[0]:
        before, _, after = sides[0].partition("..")
        # Git's own meaning of a side that is left out.
        sides = (before or "HEAD", after or "HEAD")
    if len(sides) != 2 or any(side.startswith("-") for side in sides):
        raise UsageError(f"review: must be BASE..HEAD or two directories, got {' '.join(sides)!r}")
    return sides[0], sides[1]

"""Command `validate`: read manifests and tell every problem."""

from __future__ import annotations

from typing import cast

import click

from runyard.cli.output import Output, reporting
from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.problems import Problem
from runyard.units import render_count

_INVALID = ManifestError.exit_code


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--strict-warnings", is_flag=True, help="Let warnings fail too.")
@reporting("sarif")
def validate(paths: tuple[str, ...], strict_warnings: bool, out: Output) -> int:
    """Check manifests: files, directories or globs of YAML.

    Exits with 0 if they can be deployed and with 2 if they cannot. As text, problems go to stderr.
    """
    summary = ""
    problems: tuple[Problem, ...]
    try:
        loaded = load(paths)
    except ManifestError as error:
        problems = cast("tuple[Problem, ...]", error.problems)
    else:
        problems = loaded.warnings
        summary = f"valid: {render_count(len(loaded.manifests.services), 'service')}"
    _show(problems, summary, out)
    fails = not summary or (strict_warnings and problems)
    return _INVALID if fails else 0


def _show(problems: tuple[Problem, ...], summary: str, out: Output) -> None:
    # Imported here because a valid file needs no report.
    from runyard.manifest import report

    if out.form == "text":
        out.warn([report.render_text(problems)])
    out.show(
        lambda: report.describe(problems),
        lambda: summary,
        markdown=lambda: report.render_markdown(problems),
        sarif=lambda: report.render_sarif(problems),
    )

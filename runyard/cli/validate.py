"""Command `validate`: read manifests and tell every problem, as text, JSON or SARIF."""

from __future__ import annotations

import sys
from typing import cast

import click

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.problems import Problem

_INVALID = ManifestError.exit_code


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json", "sarif"]), default="text", help="Form of the report."
)
@click.option("--strict-warnings", is_flag=True, help="Let warnings fail too.")
@click.pass_context
def validate(context: click.Context, paths: tuple[str, ...], output: str, strict_warnings: bool) -> int:
    """Check manifests: files, directories or globs of YAML.

    Exits with 0 if they can be deployed and with 2 if they cannot. Problems go to stderr; JSON and SARIF to stdout.
    """
    summary = ""
    problems: tuple[Problem, ...]
    try:
        loaded = load(paths)
    except ManifestError as error:
        problems = cast("tuple[Problem, ...]", error.problems)
    else:
        problems = loaded.warnings
        count = len(loaded.manifests.services)
        summary = f"valid: {count} service{'' if count == 1 else 's'}\n"
    _write(problems, output, summary)
    fails = not summary or (strict_warnings and problems)
    return _INVALID if fails else 0


def _write(problems: tuple[Problem, ...], output: str, summary: str) -> None:
    # Imported here because a valid file needs no report.
    from runyard.manifest.report import render_json, render_sarif, render_text

    if output == "text":
        sys.stderr.write(_escaped(render_text(problems)))
        sys.stdout.write(summary)
    else:
        sys.stdout.write(render_json(problems) if output == "json" else render_sarif(problems))


def _escaped(text: str) -> str:
    """Escape what the stream cannot show, such as a file name that is not UTF-8."""
    encoding = sys.stderr.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)

"""`runyard verify`: prove that what runs is what the manifests ask for."""

from __future__ import annotations

import click

from runyard import table
from runyard.cli.output import Output, reporting
from runyard.errors import UsageError, VerifyError
from runyard.host.survey import observe_survey
from runyard.manifest import load
from runyard.plan import keep_revisions, plan
from runyard.pulumi.deployment import check_form, parse_deployment
from runyard.pulumi.export import Export
from runyard.pulumi.stack import StackSource
from runyard.secrets import digest_secrets
from runyard.verify.host.rules import survey_host
from runyard.verify.run import Results, run_checks


@click.command()
@click.argument("manifests", nargs=-1)
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack to look at.")
@click.option("--config-file", type=click.Path(exists=True), help="The stack's configuration, as pulumi's own flag.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write the results as JUnit XML to this file.")
@click.option("--deep", is_flag=True, help="Also ask the services that sleep, which wakes them.")
@click.option("--host", is_flag=True, help="Look at the engine's host instead, and advise; needs no MANIFESTS.")
@reporting()
def verify(  # noqa: PLR0913 - click gives one parameter for each option
    manifests: tuple[str, ...],
    stack: str,
    config_file: str | None,
    junit: str | None,
    deep: bool,
    host: bool,
    out: Output,
) -> None:
    """Check the live stack against MANIFESTS with testinfra; exit 7 if it differs.

    As text, pytest tells each check when it is done; with --quiet those that fail. A service that sleeps is not asked
    for an answer, and its check is told as skipped.

    With --host, look at the host of the engine as the CIS Docker Benchmark does. What it finds is advice, each with the
    command that mends it: the exit code stays 0.
    """
    if host == bool(manifests):
        raise UsageError(f"must be given MANIFESTS or --host, got {'both' if host else 'neither'}")
    if host:
        _advise(out)
        return
    with Export(stack) as export:
        loaded = load(manifests).manifests
        planned = plan(loaded, stack, digest_secrets(StackSource(stack, config_file).secrets()))
        # Earlier revisions stay because the state has them; no manifest tells of them.
        deployment = parse_deployment(export.read())
        check_form(stack, deployment)
        planned = keep_revisions(planned, loaded, deployment.pasts)
    arguments = [f"--junitxml={junit}"] if junit else []
    if out.form == "text":
        arguments += ["--tb=short", "-q" if out.quiet else "-v", f"--color={'auto' if out.colour else 'no'}"]
    else:
        arguments += ["-p", "no:terminal"]
    results = run_checks(planned, deployment.pasts, arguments, deep=deep)
    out.show(results.describe, lambda: "", markdown=lambda: render_markdown(results))
    if not results.good:
        raise VerifyError(f"verify stack {stack}: it is not what the manifests ask for, see the failed checks")


def _advise(out: Output) -> None:
    """Show what is to be said of the host."""
    report = survey_host(observe_survey())
    out.show(report.describe, report.render, markdown=report.render_markdown)


def render_markdown(results: Results) -> str:
    """Render a table with a row for each check."""
    rows = [(each.name, each.outcome, each.reason) for each in results.checks]
    return "\n".join(table.render_markdown(("check", "outcome", "reason"), rows))

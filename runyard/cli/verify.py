"""`runyard verify`: prove that what runs is what the manifests ask for."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from runyard.cli.stack import StackSource
from runyard.errors import VerifyError
from runyard.host.deployment import check_form, parse_deployment
from runyard.host.export import Export
from runyard.manifest import load
from runyard.plan import keep_revisions, plan
from runyard.secrets import digest_secrets
from runyard.verify.plugin import VerifyPlugin


@click.command()
@click.argument("manifests", nargs=-1, required=True)
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack to look at.")
@click.option("--config-file", type=click.Path(exists=True), help="The stack's configuration, as pulumi's own flag.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write the results as JUnit XML to this file.")
@click.option("-q", "--quiet", is_flag=True, help="Show failures only.")
def verify(manifests: tuple[str, ...], stack: str, config_file: str | None, junit: str | None, quiet: bool) -> None:
    """Check the live stack against MANIFESTS with testinfra; exit 7 if it differs."""
    with Export(stack) as export:
        loaded = load(manifests).manifests
        planned = plan(loaded, stack, digest_secrets(StackSource(stack, config_file).secrets()))
        # Earlier revisions stay because the state has them; no manifest tells of them.
        deployment = parse_deployment(export.read())
        check_form(stack, deployment)
        planned = keep_revisions(planned, loaded, deployment.pasts)
    checks = Path(__file__).resolve().parent.parent / "verify"
    arguments = ["--rootdir", str(checks), "-c", "/dev/null", "-p", "no:cacheprovider", "--tb=short"]
    arguments += ["-o", "python_files=checks_*.py", "-q" if quiet else "-v"]
    arguments += [f"--junitxml={junit}"] if junit else []
    outcome = pytest.main([*arguments, str(checks)], plugins=[VerifyPlugin(planned, deployment.pasts)])
    if outcome is not pytest.ExitCode.OK and outcome != 0:
        raise VerifyError(f"verify stack {stack}: it is not what the manifests ask for, see the failed checks above")

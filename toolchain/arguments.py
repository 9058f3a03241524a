"""Arguments: the toolchain's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

DESCRIPTION = "Brings what this machine lacks, then runs Pulumi or a command with it."

MANIFESTS = "manifests/hello.yaml"
FORCE_HELP = (
    "of up and preview: ask Pulumi whatever was recorded; of down: remove what carries the stack's label though the"
    " state knows nothing of it"
)
VERBS = (
    *("bring", "environment", "images", "lock", "restart-engine"),
    *("up", "preview", "down"),
    # What follows `--` is run with everything, with what tests need that start no engine, with what linters need, with
    # what benchmarks need.
    *("run", "tests", "lint", "benchmarks"),
)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; `extra` is what goes to Pulumi or is the command to run."""
    parser = argparse.ArgumentParser(prog="toolchain/bootstrap", description=DESCRIPTION)
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--stack", default="dev", help="Pulumi stack (default: dev)")
    parser.add_argument(
        "--manifests", default="", help=f"of manifests: files, directories, globs, with commas ({MANIFESTS})"
    )
    parser.add_argument("--as-set", action="store_true", help="the manifests are those that the settings have already")
    parser.add_argument("--plan", default="", help="of up: a plan that `runyard review --save` wrote, to hold to")
    parser.add_argument("--project", default="", help="directory whose Pulumi.yaml is in force (default: the checkout)")
    parser.add_argument("--verbose", action="store_true", help="of up and down: show Pulumi's own tree")
    parser.add_argument("--expect-no-changes", action="store_true", help="of preview: exit with 7 if there are changes")
    parser.add_argument("--force", action="store_true", help=FORCE_HELP)
    parser.add_argument("--dry-run", action="store_true", help="of restart-engine: only look whether it could be done")
    parser.epilog = "after --: more arguments for pulumi, or the command to run"
    # Cut here and not by argparse, whose REMAINDER takes the flags that stand before the first -- too.
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parsed = parser.parse_args(arguments[:cut])
    # `images` alone are all images.
    parsed.manifests = parsed.manifests or ("" if parsed.verb == "images" else MANIFESTS)
    parsed.extra = list(arguments[cut + 1 :])
    return parsed

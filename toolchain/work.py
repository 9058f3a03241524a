"""Work on a stack: its verbs, with everything that they need brought before."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from runyard.pulumi.project import split_paths
from toolchain.kit import Kit

# They tell of the stack alone, and not of what was found on the machine.
STACK_VERBS = ("up", "preview", "down")


def work(kit: Kit, parsed: argparse.Namespace, project: str) -> int:
    """Carry out a verb of a stack."""
    manifests = ",".join(split_paths(parsed.manifests, project))
    tools = kit.bring(manifests)
    with kit.foreseen(tools, parsed.stack) if parsed.verb == "preview" else nullcontext(tools) as found:
        update = kit.update(found, parsed.stack, parsed.verb, parsed.plan)
        update.as_set, update.verbose = parsed.as_set, parsed.verbose
        if parsed.verb == "down":
            return update.down(parsed.extra, force=parsed.force)
        if parsed.verb == "up":
            return update.up(parsed.manifests, parsed.extra)
        expected = ["--expect-no-changes"] if parsed.expect_no_changes else []
        return update.preview(parsed.manifests, [*expected, *parsed.extra])

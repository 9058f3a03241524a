"""Entry of the toolchain: reads the command line, joins the parts, ends with one clear error or Pulumi's code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from runyard.errors import CancelledError, RunyardError
from toolchain import CHECKOUT
from toolchain.arguments import parse_arguments


def main(arguments: Sequence[str]) -> int:
    """Carry out one verb and return the exit code."""
    parsed = parse_arguments(arguments)
    project = os.path.abspath(parsed.project) if parsed.project else CHECKOUT
    if parsed.verb in ("up", "preview") and not (parsed.force or parsed.plan or parsed.extra):
        from toolchain.answer import answer

        if answer(parsed.verb, project, parsed.stack, parsed.manifests, verbose=parsed.verbose):
            return 0
    # Here, because what is answered above needs none of it, and its import takes longer than the answer.
    from pathlib import Path

    from toolchain.kit import Kit
    from toolchain.requirements import write_locks
    from toolchain.work import STACK_VERBS, work

    kit = Kit(dict(os.environ), project=Path(project), calm=parsed.verb in STACK_VERBS and not parsed.verbose)
    plain: dict[str, Callable[[], object]] = {
        "environment": kit.bring_environment,
        "images": lambda: kit.bring_images(parsed.manifests),
        "bring": kit.bring,
    }
    running = {"run": kit.run, "tests": kit.tests, "lint": kit.lint, "benchmarks": kit.benchmarks}
    if parsed.verb in plain:
        plain[parsed.verb]()
    elif parsed.verb == "lock":
        write_locks(kit.steps, kit.checkout, kit.environment.python)
    elif parsed.verb == "restart-engine":
        kit.restart_engine(dry_run=parsed.dry_run)
    elif parsed.verb in running:
        running[parsed.verb](parsed.extra)
    else:
        return work(kit, parsed, project)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (RunyardError, KeyboardInterrupt) as error:
        told = error if isinstance(error, RunyardError) else CancelledError("interrupted")
        print(f"error: {told}", file=sys.stderr)
        sys.exit(told.exit_code)

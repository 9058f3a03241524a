"""Entry of the audit: python -m tests.audit [--newest] [--unchecked FILE].

Ends with 0 when all was checked and nothing found, 1 when something was, 3 when something could not be checked.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.audit import osv
from tests.audit.checks import CHECKS, Settings, carry_out
from tests.audit.report import render
from tests.audit.waivers import FILE, BadWaiver, load_waivers
from tests.unit.checkout import ROOT

# Another server of OSV's API, such as a mirror.
VARIABLE = "RUNYARD_OSV"


def main(arguments: Sequence[str]) -> int:
    """Carry out all checks and print what they came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    parser.add_argument("--newest", action="store_true", help="use the newest Go database and not the locked one")
    parser.add_argument(
        "--unchecked",
        type=Path,
        metavar="FILE",
        help=f"let what {FILE} names be unchecked, and write those lines to FILE, to be printed last",
    )
    parsed = parser.parse_args(arguments)
    today = datetime.datetime.now(datetime.UTC).date()
    try:
        waivers = load_waivers(ROOT / FILE)
    except BadWaiver as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    settings = Settings(ROOT, today, os.environ.get(VARIABLE) or osv.ADDRESS, parsed.newest)
    outcomes = [carry_out(subject, settings) for subject in CHECKS]
    report = render(outcomes, waivers, today, tolerant=parsed.unchecked is not None)
    print("\n".join(report.lines), flush=True)
    if parsed.unchecked:
        parsed.unchecked.write_text("".join(f"{line}\n" for line in report.unchecked), encoding="utf-8")
    return report.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

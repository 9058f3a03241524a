"""Entry: runs the benchmarks that are named, with the arguments after the name, or all of them with none.

python -m tests.bench                                 all, one after the other
python -m tests.bench bench_apply --services 10       one
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Run one benchmark or all; the benchmarks read `sys.argv` as if each had been started alone."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    chosen, rest = (arguments[:1], arguments[1:]) if arguments else (known, [])
    if unknown := set(chosen) - set(known):
        sys.exit(f"{', '.join(unknown)}: must be one of {', '.join(known)}")
    for name in chosen:
        print(f"\n== {name}", flush=True)
        sys.argv = [name, *rest]
        importlib.import_module(f"tests.bench.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])

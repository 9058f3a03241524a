"""Entry of fuzzing: python -m tests.fuzz [TARGET…] [--seconds S] [--seed N], or `--again TARGET FILE` for one input.

Corpora are kept in the cache, outside the checkout, and so are inputs that broke something.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.fuzzer import TARGETS
from tests.harness.seeds import VARIABLE, given_seed
from tests.harness.wheels import unpacked
from toolchain import CHECKOUT
from toolchain.cache import Cache, locate
from toolchain.requirements import FUZZ_LOCK

# An input that takes longer hangs whoever sent it; the slowest manifest that is allowed takes about a second, and what
# is counted takes some times as long.
HANG_S = 30
MEMORY_MIB = 2048


def main(arguments: Sequence[str]) -> int:
    """Fuzz each target for its time, one after the other; 1 when an input broke one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target")
    parser.add_argument("--fresh", action="store_true", help="begin with the seeds alone, and keep nothing new")
    parser.add_argument("--again", nargs=2, metavar=("TARGET", "FILE"), help="try one input, without the fuzzer")
    parsed = parser.parse_args(arguments)
    if unknown := {*parsed.targets, *(parsed.again or ())[:1]} - {*TARGETS}:
        parser.error(f"TARGET: must be of {', '.join(TARGETS)}, got {min(unknown)}")
    if parsed.again:
        importlib.import_module(f"tests.fuzz.{parsed.again[0]}").attempt(Path(parsed.again[1]).read_bytes())
        return 0
    # Whoever ends this one means the fuzzer, and what it started, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    # libFuzzer takes 32 bits, and 0 for none.
    seed = given_seed() % 2**32 or 1
    broken = [name for name in parsed.targets or TARGETS if not fuzz(name, parsed.seconds, seed, fresh=parsed.fresh)]
    print(f"fuzz: {f'broken: {chr(44).join(broken)}' if broken else 'nothing broke'}")
    return 1 if broken else 0


def fuzz(name: str, seconds: int, seed: int, *, fresh: bool = False) -> bool:
    """Fuzz one target; tells whether it stood."""
    cache = Cache(locate(os.environ))
    # Not in the cache, from which whoever brings something sweeps what seems to be left half made.
    with tempfile.TemporaryDirectory(prefix="runyard-fuzz-") as scratch:
        corpus = Path(scratch, name) if fresh else cache.root / "fuzz" / name
        return _fuzz_from(corpus, cache, name, seconds, seed)


def _fuzz_from(corpus: Path, cache: Cache, name: str, seconds: int, seed: int) -> bool:
    broke = cache.root / "fuzz" / f"{name}-broke"
    for each in (corpus, broke):
        each.mkdir(parents=True, exist_ok=True)
    for text in importlib.import_module(f"tests.fuzz.{name}").seeds():
        (corpus / hashlib.sha1(text).hexdigest()).write_bytes(text)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={broke}/", f"-timeout={HANG_S}"]
    options += [f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=1", "-use_value_profile=1"]
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", name, *options, str(corpus)]
    path = os.pathsep.join(filter(None, (str(unpacked("fuzzer", FUZZ_LOCK)), os.environ.get("PYTHONPATH", ""))))
    print(f"fuzz: {name}: {seconds} s, seed {seed}", flush=True)
    code = _run(command, {**os.environ, "PYTHONPATH": path})
    if code != 0:
        print(f"fuzz: {name}: broken (code {code}); the newest file in {broke} is the input: try it again with")
        print(f"  python -m tests.fuzz --again {name} FILE; the same way to it: {VARIABLE}={seed}", flush=True)
    return code == 0


def _run(command: Sequence[str], variables: dict[str, str]) -> int:
    """Run a command, and end with it whatever it has started: libFuzzer leaves without a word, and nginx would stay."""
    with tempfile.TemporaryDirectory(prefix="runyard-fuzz-") as directory:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env={**variables, "TMPDIR": directory}, start_new_session=True
        )
        try:
            return process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Benchmark of reviews: `runyard review` of N services without a stack, and what policies add to Pulumi's preview.

The first compares two directories in which a fifth of the services differ; its target is 2 s for 50 services. The other
asks Pulumi for a preview of an empty stack without a policy pack, with ours, and with one that holds nothing, in turns,
and adds the time of the verdict on the manifests, which the program asks for itself. The target for 50 is 0.5 s.

    toolchain/bootstrap run -- .venv/bin/python -m tests.bench bench_review --services 50
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from policies.rule import Context
from policies.verdict import judge
from runyard.manifest import load
from runyard.pulumi.backend import file_backend
from tests.bench.bench_validate import write_services
from tests.bench.timing import ROUNDS, Stopwatch

ROOT = Path(__file__).parents[2]
STACK = "bench-review"
# A preview of 50 services takes some ten seconds on a busy machine.
PATIENCE_S = 300
DAY = "2026-11-23"
# What Pulumi asks of every pack, without a rule behind it: the server is ours, so only the rules are what differs.
EMPTY_PACK = """#!{python}
import sys

sys.path.insert(0, "{root}")
from policies.analyzer import serve
from policies.pack import Pack

class Nothing(Pack):
    def configure(self, settings):
        pass

    def judge(self, resource):
        return []

print(serve(Nothing())[1], flush=True)
sys.stdin.buffer.read()
"""
# Pulumi looks for the program of a pack's runtime among those of PATH.
RUNTIME = "bench-empty"


def change(files: list[Path]) -> None:
    """Change a fifth of the services."""
    for file in files[::5]:
        file.write_text(file.read_text(encoding="utf-8").replace("512Mi", "768Mi"), encoding="utf-8")


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command from the checkout; RuntimeError shows the end of one that fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: ended with {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")


def bench_reviews(old: Path, new: Path, watch: Stopwatch, rounds: int) -> None:
    """Time the review of two directories beside reading both."""
    runyard = [sys.executable, "-m", "runyard.cli.main"]
    contenders = {
        "validate both": lambda: run([*runyard, "validate", str(old)]) or run([*runyard, "validate", str(new)]),
        "review": lambda: run([*runyard, "review", str(old), str(new), "--date", DAY]),
        "review -o markdown": lambda: run([*runyard, "review", str(old), str(new), "--date", DAY, "-o", "markdown"]),
    }
    watch.take_turns("two directories", contenders, rounds)


def processor_s() -> float:
    """Tell how long the processor has worked for all that was run and has ended, their own children too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_empty_pack(directory: Path) -> Path:
    """Write a pack without rules, with its program beside it."""
    empty = directory / "empty-pack"
    empty.mkdir()
    (empty / "PulumiPolicy.yaml").write_text(f"runtime: {RUNTIME}\n", encoding="utf-8")
    program = empty / f"pulumi-analyzer-policy-{RUNTIME}"
    program.write_text(EMPTY_PACK.format(python=sys.executable, root=ROOT), encoding="utf-8")
    program.chmod(0o755)
    return empty


def bench_previews(manifests: Path, state: Path, watches: tuple[Stopwatch, Stopwatch], rounds: int) -> None:
    """Time previews of an empty stack with the pack and without it, by the wall's clock and by the processor's."""
    wall, processor = watches
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": file_backend(state),
        "PULUMI_CONFIG_PASSPHRASE": "bench",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
    pulumi = ["pulumi", "--non-interactive"]
    config = ["--config-file", str(state / "stack.yaml"), "-c", f"runyard:manifests={manifests}"]
    try:
        run([*pulumi, "stack", "init", STACK], environment)
        preview = [*pulumi, "preview", "--stack", STACK, *config]
        empty = write_empty_pack(state)
        environment["PATH"] = f"{empty}:{environment['PATH']}"
        commands = {
            "without a pack": preview,
            "with the pack": [*preview, "--policy-pack", "policies"],
            "with an empty pack": [*preview, "--policy-pack", str(empty)],
        }
        for _ in range(rounds):
            for name, command in commands.items():
                # Bound now: the name and command of this turn.
                step = partial(run, command, environment)
                wall.time("preview", name, partial(processor.time, "preview, processor", name, step))
    finally:
        # `stack init` makes it beside the program, whatever --config-file says later.
        (ROOT / "stacks" / f"Pulumi.{STACK}.yaml").unlink(missing_ok=True)


def main() -> None:
    """Run both and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as name:
        old, new, state = (Path(name) / each for each in ("old", "new", "state"))
        for directory in (old, new, state):
            directory.mkdir()
        for directory in (old, new):
            # The stack has no secrets, and a small host has no room for fifty of this size that are always there.
            for file in (files := write_services(directory, options.services)):
                text = file.read_text(encoding="utf-8")
                token = text[text.index("            - name: TOKEN") : text.index("          resources:")]
                text = text.replace(token, "").replace('minScale: "1"', 'minScale: "0"')
                text = text.replace("memory: 512Mi", "memory: 128Mi")
                file.write_text(text, encoding="utf-8")
        change(files)
        bench_reviews(old, new, watch, options.rounds)
        print(f"{options.services} services, median of {options.rounds} rounds (lowest to highest)")
        print(watch.table("validate both"), flush=True)

        manifests, previews = load([old]).manifests, Stopwatch()
        previews.take_turns("verdict", {"on the manifests": lambda: judge(Context(manifests, DAY))}, options.rounds)
        processor = Stopwatch(processor_s)
        bench_previews(old, state, (previews, processor), options.rounds)
        verdict = previews.timing("verdict", "on the manifests")
        print(f"verdict on the manifests, in the program: {verdict}; target 0.5 s")
        del previews.taken["verdict"]
        print(previews.table("without a pack"))
        print(processor.table("without a pack"))


if __name__ == "__main__":
    main()

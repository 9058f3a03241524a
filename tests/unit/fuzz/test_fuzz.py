from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import acceptor, codec, manifest
from tests.fuzz.fuzzer import TARGETS
from tests.fuzz.json_mutation import mutate_json
from tests.harness.wheels import unpacked
from toolchain import CHECKOUT
from toolchain.requirements import FUZZ_LOCK

pytestmark = pytest.mark.slow
# For each target: enough to see that it runs and its seeds stand; `make fuzz` takes longer.
SAMPLE_S = 5


def test_sample_of_fuzzing_breaks_nothing_and_tells_its_seed() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--fresh", "--seconds", str(SAMPLE_S)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    # Without the progress, of which each target has thousands of lines.
    told = [line for line in done.stderr.splitlines() if not re.match(r"#\d|INFO: Instr|\t|.*# Uses", line)]
    assert done.returncode == 0, "\n".join([done.stdout[-2000:], *told])
    assert "give it back with RUNYARD_SEED=" in done.stdout
    assert done.stdout.endswith("fuzz: nothing broke\n")
    # Each target has looked at something, and told of what it saw.
    assert done.stderr.count("stat::number_of_executed_units") == len(TARGETS)
    assert " cov: 0 " not in done.stderr


def test_fuzzer_follows_what_is_new_to_a_planted_fault(tmp_path: Path) -> None:
    path = os.pathsep.join((str(unpacked("fuzzer", FUZZ_LOCK)), CHECKOUT))
    options = ["-seed=7", "-max_total_time=60", f"-artifact_prefix={tmp_path}/", "-use_value_profile=1"]
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", "tests.unit.fuzz.planted", *options]
    variables = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    (found,) = tmp_path.glob("crash-*")
    assert found.read_bytes().startswith(b"Run!")


def test_input_that_broke_something_is_tried_again_by_itself(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes([0]) + b"{}")
    command = [sys.executable, "-m", "tests.fuzz", "--again", "codec", str(tmp_path / "one")]
    assert subprocess.run(command, cwd=CHECKOUT, check=False).returncode == 0
    refused = subprocess.run([*command[:4], "nothing", "x"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "TARGET: must be of manifest, acceptor, codec, got nothing" in refused.stderr


def test_acceptor_tells_which_lines_of_lua_a_message_went_through() -> None:
    seen: dict[bytes, set[int]] = {}
    for text in (b"", b"{}", *acceptor.seeds()):
        edges: set[int] = set()
        acceptor.attempt(text, lambda edge, times, edges=edges: edges.add(edge))
        seen[text] = edges
    sizes = [len(edges) for edges in seen.values()]
    assert sizes[0] < sizes[1] < min(sizes[2:])
    assert all(0 <= edge < acceptor.EDGES for edges in seen.values() for edge in edges)


def test_acceptor_takes_its_seeds_and_changes_of_them_it_takes_or_refuses() -> None:
    for text in acceptor.seeds():
        assert all("generation" in each for each in acceptor.attempt(text))
    kinds = [each.get("kind") for text in acceptor.seeds() for each in acceptor.attempt(text.replace(b"web", b"w b"))]
    assert "shape" in kinds


@pytest.mark.parametrize("text", [b'{"generation": 1}\xff', b'{"generation": 0x10}', b'{"generation": 1}\x00x'])
def test_acceptor_refuses_what_the_fuzzer_found(text: bytes) -> None:
    assert [each["kind"] for each in acceptor.attempt(text)] == ["shape"]


@pytest.mark.parametrize("target", [codec, manifest], ids=["codec", "manifest"])
def test_seeds_and_what_they_become_stand(target: object) -> None:
    chance = random.Random(7)
    seeds = list(target.seeds())  # type: ignore[attr-defined]
    assert len(seeds) > 40
    for text in [*seeds, b""]:
        target.attempt(text)  # type: ignore[attr-defined]
        changed = target.mutate(text, seeds, chance)  # type: ignore[attr-defined]
        target.attempt(changed or b"")  # type: ignore[attr-defined]


def test_same_seed_changes_json_alike_and_most_changes_still_parse() -> None:
    text, others = b'{"a": [1, "b"], "c": {"d": null}}', [b'{"e": 1}']
    changed = [mutate_json(text, others, random.Random(seed)) for seed in range(200)]
    assert changed == [mutate_json(text, others, random.Random(seed)) for seed in range(200)]
    assert len(set(changed)) > 100
    parsed = 0
    for each in changed:
        assert each is not None
        try:
            json.loads(each)
            parsed += 1
        except ValueError:
            pass
    assert parsed > 120


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 9000])
def test_what_is_no_json_is_left_to_the_bytes(text: bytes) -> None:
    assert mutate_json(text, [], random.Random(1)) is None

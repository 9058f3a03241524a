from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.pulumi.state import State
from runyard.uptodate.check import Comparison
from toolchain.answer import say

DEPLOYED = State({}, [], (), "", {"urls": {"default/hello": "http://hello.localhost:3000/"}})


@pytest.mark.parametrize(
    ("verb", "comparison", "done", "text"),
    [
        ("up", None, False, ""),
        (
            "up",
            Comparison([], DEPLOYED),
            True,
            "hello: http://hello.localhost:3000/\nup: nothing to do, Pulumi was not asked (0.25 s; --force asks it)\n",
        ),
        (
            "preview",
            Comparison([], DEPLOYED),
            True,
            "preview: nothing to do, Pulumi was not asked (0.25 s; --force asks it)\n",
        ),
        ("up", Comparison(["the code changed"]), False, "up: asks Pulumi: the code changed\n"),
        ("preview", Comparison(list("abcde"), DEPLOYED), False, "preview: asks Pulumi: a; b; c; 2 more\n"),
    ],
)
def test_answer_is_one_line_and_the_outputs_of_an_update(
    verb: str, comparison: Comparison | None, done: bool, text: str
) -> None:
    out = io.StringIO()
    assert say(verb, comparison, 0.25, out, verbose=True) is done
    assert out.getvalue() == text


def test_answer_imports_nothing_that_is_slow() -> None:
    script = "import sys, toolchain.answer; print(*sys.modules)"
    root = Path(__file__).parents[3]
    ran = subprocess.run([sys.executable, "-S", "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert not {"yaml", "jsonschema", "subprocess", "pathlib", "argparse", "toolchain.kit"} & set(ran.stdout.split())


def test_why_pulumi_is_asked_is_for_those_who_want_to_know() -> None:
    out = io.StringIO()
    assert not say("up", Comparison(["the code changed"]), 0.25, out, verbose=False)
    assert out.getvalue() == ""

"""Protocol: messages that are Pulumi's own, without Pulumi's library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runyard.pulumi.protocol import analyzer_pb2

ROOT = Path(__file__).parents[4]


def test_messages_are_those_of_the_library_and_leave_it_whole() -> None:
    from pulumi.runtime.proto import analyzer_pb2 as original

    assert analyzer_pb2.AnalyzeRequest.DESCRIPTOR.full_name == original.AnalyzeRequest.DESCRIPTOR.full_name
    assert analyzer_pb2.AnalyzeRequest.FromString(original.AnalyzeRequest(type="t").SerializeToString()).type == "t"


def test_pack_imports_nothing_that_is_slow() -> None:
    program = "import policies.analyzer, sys; print(*sorted(name for name in sys.modules if '.' not in name))"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"pulumi", "pulumi_policy", "docker", "requests"} & set(said.split()) == set()

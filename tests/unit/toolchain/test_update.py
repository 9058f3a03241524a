from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain.pulumi import Pulumi
from toolchain.step import Steps
from toolchain.update import Update, flatten

OUTPUTS = '{"urls": {"hello": "http://hello.localhost:3000/"}, "domain": "localhost"}'
PULUMI = """echo "$@" >> "$ASKED"
case "$1 $2" in
"stack export") echo '{{"deployment": {{"resources": []}}}}' ;;
"stack output") echo '{outputs}' ;;
*) exit {code} ;;
esac"""


def make(steps: Steps, program: WriteProgram, tmp_path: Path, body: str) -> Update:
    command = program("pulumi", body)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program("runyard", 'echo "runyard $@" >> "$ASKED"').rename(tmp_path / ".venv" / "bin" / "runyard")
    environment = {**os.environ, "ASKED": str(tmp_path / "asked")}
    return Update(steps, tmp_path, Pulumi(command, None), "dev", environment)


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


def test_up_runs_pulumi_as_by_hand_and_says_where_things_answer(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(outputs=OUTPUTS, code=0))
    assert update.up("manifests/shop") == 0
    assert asked(tmp_path) == [
        "up --stack dev --yes --skip-preview --suppress-outputs --policy-pack policies "
        "-c runyard:manifests=manifests/shop",
        "stack export --stack dev",
        "stack output --json --stack dev",
    ]
    assert words.getvalue() == "domain: localhost\nurls.hello: http://hello.localhost:3000/\n"


def test_up_that_fails_ends_with_pulumis_code_and_shows_no_outputs(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(outputs=OUTPUTS, code=255))
    assert update.up("manifests/shop") == 255
    assert len(asked(tmp_path)) == 1
    assert words.getvalue() == ""


def test_preview_and_down_are_pulumis_own(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(outputs="", code=0))
    assert update.preview("m.yaml", ["--expect-no-changes"]) == 0
    assert update.down() == 0
    assert asked(tmp_path) == [
        "preview --stack dev --diff --policy-pack policies -c runyard:manifests=m.yaml --expect-no-changes",
        "destroy --stack dev --yes --skip-preview",
        "runyard release --stack dev",
    ]


def test_down_that_fails_leaves_the_stacks_claims(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(outputs="", code=255))
    assert update.down() == 255
    assert asked(tmp_path) == ["destroy --stack dev --yes --skip-preview"]


def test_claims_that_cannot_be_released_are_an_error(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(outputs="", code=0))
    (tmp_path / ".venv" / "bin" / "runyard").write_text("#!/bin/sh\necho 'error: no engine' >&2; exit 1\n")
    with pytest.raises(ToolchainError, match=r"^update: runyard release: error: no engine$"):
        update.down()


def test_outputs_that_cannot_be_read_are_an_error(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    body = 'case "$1 $2" in "stack output") echo "error: locked" >&2; exit 255 ;; "stack export") echo "{}" ;; esac'
    update = make(steps, program, tmp_path, body)
    with pytest.raises(ToolchainError) as caught:
        update.up("m.yaml")
    assert str(caught.value) == "update: pulumi stack output --json: error: locked"


def test_up_that_went_through_forgets_what_a_killed_one_left_pending(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    state = '{"version": 3, "deployment": {"resources": [], "pending_operations": [{"type": "creating"}]}}'
    body = f"""case "$1 $2" in
"stack export") echo '{state}' ;;
"stack import") cat > {tmp_path}/imported ;;
"stack output") echo '{{}}' ;;
esac"""
    assert make(steps, program, tmp_path, body).up("m.yaml") == 0
    assert (tmp_path / "imported").read_text() == '{"version": 3, "deployment": {"resources": []}}'
    assert words.getvalue().startswith("state: dropped the pending creations")


def test_pulumi_that_is_killed_gives_the_shells_code(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, "kill -9 $$")
    assert update.up("m.yaml") == 137


# Runs an update whose Pulumi reports when it is ready and ends in its own time after one Ctrl-C.
INTERRUPTED = """
import os, sys
from pathlib import Path
from toolchain.pulumi import Pulumi
from toolchain.step import Steps
from toolchain.update import Update
update = Update(Steps(Path(sys.argv[1])), Path(sys.argv[1]), Pulumi(Path(sys.argv[2]), None), "dev", dict(os.environ))
print("code", update.down(), flush=True)
"""
PATIENT = """import signal, sys
signal.signal(signal.SIGINT, lambda *_: (print("saving the state", flush=True), sys.exit(7)))
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_update_lets_pulumi_end_in_its_own_time(
    program: WriteProgram, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "patient.py").write_text(PATIENT)
    command = program("pulumi", f"exec {sys.executable} {tmp_path}/patient.py")
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    with subprocess.Popen(
        [sys.executable, script, tmp_path, command], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        if number == signal.SIGINT:
            # As the terminal does: to the whole group.
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        assert process.stdout.read() == "saving the state\ncode 7\n"
    assert process.returncode == 0


def test_outputs_are_flattened_in_order_of_their_names() -> None:
    assert flatten({"b": {"y": [1, 2], "x": True}, "a": "[secret]"}) == [
        ("a", "[secret]"),
        ("b.x", "True"),
        ("b.y", "1 2"),
    ]

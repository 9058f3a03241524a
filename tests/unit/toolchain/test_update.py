from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.errors import ToolchainError
from tests.unit.runyard.host.docker_api import DockerApi, serve
from tests.unit.toolchain.conftest import WriteProgram
from toolchain.belonging import Belonging
from toolchain.pulumi import Pulumi
from toolchain.step import Steps
from toolchain.update import Update
from toolchain.uptodate import UpToDate

STATE: dict[str, Any] = {
    "resources": [
        {
            "type": "pulumi:pulumi:Stack",
            "outputs": {"urls": {"hello": "http://hello.localhost:3000/"}, "domain": "localhost"},
        },
        {"type": "docker:index/network:Network", "id": "n1", "inputs": {"name": "runyard.dev.platform"}},
    ]
}
PULUMI = """echo "$@" >> "$ASKED"
exit {code}"""
COMMON = "--policy-pack policies -c runyard:manifests="


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DockerApi]:
    """An engine that has the network of the state."""
    api = DockerApi()
    api.answers |= {
        "GET /info": {"ID": "engine", "NCPU": 2, "MemTotal": 1},
        "GET /networks": [{"Name": "runyard.dev.platform", "Id": "n1"}],
        "GET /images/json": [],
    }
    api.relayed = [{}]
    with serve(api, tmp_path / "docker.sock"):
        yield api


def write_state(tmp_path: Path, **more: Any) -> Path:
    file = tmp_path / "state" / ".pulumi" / "stacks" / "runyard" / "dev.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {**STATE, **more}}}))
    return file


def make(steps: Steps, program: WriteProgram, tmp_path: Path, body: str) -> Update:
    command = program("pulumi", body)
    released = program("runyard", 'echo "runyard $@" >> "$ASKED"')
    write_state(tmp_path)
    environment = {
        **os.environ,
        "PATH": f"{released.parent}:{os.environ['PATH']}",
        "RUNYARD_DATA": f"{tmp_path}/data",
        "ASKED": str(tmp_path / "asked"),
        "DOCKER_HOST": f"unix://{tmp_path}/docker.sock",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
    }
    uptodate = UpToDate(str(tmp_path), str(tmp_path), environment, "dev")
    belonging = Belonging(environment, tmp_path, "dev")
    return Update(steps, tmp_path, Pulumi(command, None), "dev", environment, uptodate, belonging)


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


@pytest.mark.usefixtures("engine")
def test_up_runs_pulumi_as_by_hand_and_says_where_things_answer(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(code=0))
    assert update.up("manifests/shop") == 0
    assert asked(tmp_path) == [f"up --stack dev --yes --skip-preview --json {COMMON}manifests/shop"]
    assert words.getvalue().startswith("domain: localhost\nhello: http://hello.localhost:3000/\n")


@pytest.mark.usefixtures("engine")
def test_bytecode_of_our_sources_is_kept_whatever_an_image_says(
    steps: Steps, program: WriteProgram, tmp_path: Path
) -> None:
    update = make(steps, program, tmp_path, 'echo "${PYTHONDONTWRITEBYTECODE-none}" >> "$ASKED"')
    update.environment = {**update.environment, "PYTHONDONTWRITEBYTECODE": "1"}
    assert update.preview("m.yaml") == 0
    assert asked(tmp_path) == ["none"]


@pytest.mark.usefixtures("engine")
def test_up_that_cannot_be_recorded_says_why(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    make(steps, program, tmp_path, PULUMI.format(code=0)).up("m.yaml")
    assert "update: the next one asks Pulumi, whatever it is: [Errno 2] No such file" in words.getvalue()


@pytest.mark.usefixtures("engine")
def test_up_with_arguments_or_a_plan_is_not_recorded(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(code=0))
    update.up("m.yaml", ["--target", "x"])
    dataclasses.replace(update, environment={**update.environment, "RUNYARD_PLAN": "p.json"}).up("m.yaml")
    assert "the next one" not in words.getvalue()


@pytest.mark.usefixtures("engine")
def test_up_that_fails_ends_with_pulumis_code_and_shows_no_outputs(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(code=255))
    assert update.up("manifests/shop") == 255
    assert len(asked(tmp_path)) == 1
    assert words.getvalue() == ""


@pytest.mark.usefixtures("engine")
def test_up_of_which_a_part_failed_names_the_services_and_what_the_program_refused_none(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    body = 'case "$*" in *refused*) printf 5 > "$RUNYARD_ENDING" ;; esac; exit 255'
    update = make(steps, program, tmp_path, body)
    services = [
        {
            "urn": f"urn:pulumi:dev::runyard::runyard:index:Service::shop.{name}",
            "type": "runyard:index:Service",
            "inputs": {"tenant": tenant, "service": name},
            **more,
        }
        for tenant, name, more in (
            ("shop", "web", {"initErrors": ["exited"]}),
            ("shop", "api", {}),
            ("bank", "pay", {"initErrors": ["exited"]}),
        )
    ]
    write_state(tmp_path, resources=[*STATE["resources"], *services])
    assert update.up("refused.yaml") == 5
    refused = "up: refused, nothing was changed\n"
    assert words.getvalue() == refused
    # Without an event of a failure nothing was begun, and what is broken was so before.
    assert update.up("manifests/shop") == 255
    assert words.getvalue() == refused
    update.verbose = True
    assert update.up("manifests/shop") == 255
    assert (
        words.getvalue() == f"{refused}up: failed: bank/pay, shop/web; what does not depend on them was carried out\n"
    )


@pytest.mark.usefixtures("engine")
def test_up_that_the_program_ended_gives_the_code_of_its_error_once(
    steps: Steps, program: WriteProgram, tmp_path: Path
) -> None:
    update = make(steps, program, tmp_path, 'case "$*" in *policies*) printf 5 > "$RUNYARD_ENDING" ;; esac; exit 255')
    assert update.up("manifests/shop") == 5
    assert update.preview("manifests/shop") == 5
    assert update.down() == 255


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("up", "refresh --stack dev --yes --skip-preview --json"),
        ("preview", "preview --stack dev --diff --refresh --policy-pack policies"),
    ],
)
def test_what_is_gone_from_the_host_is_named_and_pulumi_refreshes(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path, engine: DockerApi, verb: str, expected: str
) -> None:
    engine.answers["GET /networks"] = []
    update = make(steps, program, tmp_path, PULUMI.format(code=0))
    assert (update.up if verb == "up" else update.preview)("m.yaml") == 0
    assert asked(tmp_path)[0].startswith(expected)
    assert words.getvalue().startswith(
        "update: gone from the host: network runyard.dev.platform: the state is refreshed first\n"
    )


@pytest.mark.usefixtures("engine")
def test_preview_and_down_are_pulumis_own(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(code=0))
    assert update.preview("m.yaml", ["--expect-no-changes"]) == 0
    assert update.down() == 0
    assert asked(tmp_path) == [
        f"preview --stack dev --diff {COMMON}m.yaml --expect-no-changes",
        "destroy --stack dev --yes --skip-preview --json --parallel 8",
        "runyard release --stack dev",
    ]


def test_down_of_a_stack_that_the_state_does_not_know_asks_for_force(
    steps: Steps, program: WriteProgram, tmp_path: Path, engine: DockerApi
) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(code=0))
    write_state(tmp_path, resources=STATE["resources"][:1])
    labels = {names.STACK: "dev", names.ROLE: names.ROLE_GATEWAY}
    gateway = {"Id": "g", "Names": ["/runyard.dev.gateway"], "Image": "i", "State": "running", "Labels": labels}
    claim = {**gateway, "Names": ["/claim"], "Labels": {**labels, names.ROLE: names.ROLE_CLAIM}}
    engine.answers["GET /containers/json"] = [claim, gateway]
    with pytest.raises(ToolchainError) as caught:
        update.down()
    assert str(caught.value) == (
        "down: the state knows nothing of stack dev, and 1 container of the host carries its label,"
        " runyard.dev.gateway: another checkout's, or its state is lost"
        "\n  runyard restore FILE --state-only gives it back the state that a backup has"
        "\n  --force (make: FORCE=1) removes everything with that label, but for volumes that a service keeps"
    )
    assert not (tmp_path / "asked").exists()
    assert update.down(force=True) == 0
    assert asked(tmp_path) == [
        "runyard release --stack dev --everything",
        "destroy --stack dev --yes --skip-preview --json --parallel 8",
        "runyard release --stack dev",
    ]


def test_down_that_fails_leaves_the_stacks_claims(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(code=255))
    assert update.down() == 255
    assert asked(tmp_path) == ["destroy --stack dev --yes --skip-preview --json --parallel 8"]


def test_claims_that_cannot_be_released_are_an_error(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, PULUMI.format(code=0))
    (tmp_path / "programs" / "runyard").write_text("#!/bin/sh\necho 'error: no engine' >&2; exit 1\n")
    with pytest.raises(ToolchainError, match=r"^update: runyard release: error: no engine$"):
        update.down()


@pytest.mark.usefixtures("engine")
def test_other_backends_state_that_cannot_be_read_is_an_error(
    steps: Steps, program: WriteProgram, tmp_path: Path
) -> None:
    body = 'case "$1 $2" in "stack export") echo "error: locked" >&2; exit 255 ;; esac'
    update = make(steps, program, tmp_path, body)
    update = dataclasses.replace(update, environment={**update.environment, "PULUMI_BACKEND_URL": "s3://bucket"})
    with pytest.raises(ToolchainError) as caught:
        update.up("m.yaml")
    assert str(caught.value) == "update: pulumi stack export: error: locked"


@pytest.mark.usefixtures("engine")
def test_up_that_went_through_forgets_what_a_killed_one_left_pending(
    steps: Steps, words: io.StringIO, program: WriteProgram, tmp_path: Path
) -> None:
    exported = '{"version": 3, "deployment": {"resources": [], "pending_operations": [{"type": "creating"}]}}'
    body = f"""case "$1 $2" in
"stack export") echo '{exported}' ;;
"stack import") cat > {tmp_path}/imported ;;
esac"""
    update = make(steps, program, tmp_path, body)
    write_state(tmp_path, pending_operations=[{"type": "creating"}])
    assert update.up("m.yaml") == 0
    assert (tmp_path / "imported").read_text() == '{"version": 3, "deployment": {"resources": []}}'
    assert words.getvalue().startswith("state: dropped the pending creations")


@pytest.mark.usefixtures("engine")
def test_pulumi_that_is_killed_gives_the_shells_code(steps: Steps, program: WriteProgram, tmp_path: Path) -> None:
    update = make(steps, program, tmp_path, "kill -9 $$")
    assert update.up("m.yaml") == 137


# Runs an update whose Pulumi reports when it is ready and ends in its own time after one Ctrl-C.
INTERRUPTED = """
import os, sys
from pathlib import Path
from toolchain.belonging import Belonging
from toolchain.pulumi import Pulumi
from toolchain.step import Steps
from toolchain.update import Update
from toolchain.uptodate import UpToDate
place, environment = Path(sys.argv[1]), dict(os.environ)
pulumi, uptodate = Pulumi(Path(sys.argv[2]), None), UpToDate(str(place), str(place), environment, "dev")
update = Update(Steps(place), place, pulumi, "dev", environment, uptodate, Belonging(environment, place, "dev"))
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
    write_state(tmp_path)
    with subprocess.Popen(
        [sys.executable, script, tmp_path, command],
        env={**os.environ, "RUNYARD_DATA": f"{tmp_path}/data", "PULUMI_BACKEND_URL": f"file://{tmp_path}/state"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
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

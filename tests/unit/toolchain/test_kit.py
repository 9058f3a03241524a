from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.errors import LockError, NotFound, UsageError
from tests.unit.toolchain.conftest import WriteProgram
from tests.unit.toolchain.test_engine import answering
from toolchain import CHECKOUT, cache
from toolchain.environment import LOCK, STAMP
from toolchain.kit import Kit
from toolchain.packages import FOR_LINT, FOR_TESTS
from toolchain.pulumi import Pulumi

# A machine that has everything: Pulumi with its host and plugin, an engine, an environment of this lock file.
PULUMI = """case "$1" in
version) echo v3.259.0 ;;
*) echo "$PULUMI_BACKEND_URL $@" >> {log} ;;
esac"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "toolchain").mkdir(parents=True)
    shutil.copyfile(Path(CHECKOUT, LOCK), root / LOCK)
    shutil.copyfile(Path(CHECKOUT, "pyproject.toml"), root / "pyproject.toml")
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / STAMP).write_text(cache.key([root / LOCK, root / "pyproject.toml"]))
    # `python -m toolchain images`, run with everything that was brought.
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$DOCKER_HOST $@" >> {tmp_path}/python\n')
    python.chmod(0o755)
    return root


@pytest.fixture
def kit(
    checkout: Path, variables: dict[str, str], tmp_path: Path, program: WriteProgram, words: io.StringIO
) -> Iterator[Kit]:
    program("pulumi", PULUMI.format(log=tmp_path / "pulumi.log"))
    program("pulumi-language-python", "exit 0")
    plugin = tmp_path / "pulumi-home" / "plugins" / "resource-docker-v5.2.0" / "pulumi-resource-docker"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    with answering(tmp_path / "docker.sock") as address:
        ready = {
            **variables,
            "DOCKER_HOST": address,
            "PULUMI_HOME": str(tmp_path / "pulumi-home"),
            "RUNYARD_CACHE": str(tmp_path / "cache"),
        }
        yield Kit(ready, checkout, words)


def test_kit_on_a_machine_that_has_everything_only_looks(kit: Kit, tmp_path: Path, words: io.StringIO) -> None:
    tools = kit.bring()
    assert tools.pulumi == Pulumi(tmp_path / "programs" / "pulumi", None)
    assert words.getvalue().splitlines() == [
        f"environment: {tmp_path}/checkout/.venv is up to date",
        f"engine: answers at unix://{tmp_path}/docker.sock (DOCKER_HOST)",
        f"pulumi: v3.259.0 is installed at {tmp_path}/programs/pulumi",
        "docker plugin: 5.2.0 is installed",
        f"state: in {tmp_path}/home/.local/share/runyard/state",
        f"state: made a passphrase in {tmp_path}/home/.local/share/runyard/passphrase: "
        "keep it, the stack's secrets need it",
    ]
    assert (tmp_path / "python").read_text() == f"unix://{tmp_path}/docker.sock -m toolchain images\n"


def test_kit_gives_commands_exactly_what_it_found(kit: Kit, tmp_path: Path) -> None:
    environment = kit.bring().environment
    assert environment["PATH"].split(":")[:2] == [f"{tmp_path}/checkout/.venv/bin", f"{tmp_path}/programs"]
    assert environment["DOCKER_HOST"] == f"unix://{tmp_path}/docker.sock"
    assert environment["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/home/.local/share/runyard/state?metadata=skip"
    assert environment["PULUMI_CONFIG_PASSPHRASE_FILE"] == f"{tmp_path}/home/.local/share/runyard/passphrase"


def test_kit_writes_what_a_shell_needs_for_plain_pulumi(kit: Kit, tmp_path: Path) -> None:
    environment = kit.bring().environment
    script = f'. {tmp_path}/home/.local/share/runyard/env; echo "$PULUMI_BACKEND_URL"; command -v pulumi'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env={"PATH": "/bin"}, check=True)
    assert told.stdout.splitlines() == [environment["PULUMI_BACKEND_URL"], f"{tmp_path}/programs/pulumi"]


def test_kit_that_lacks_nothing_neither_waits_for_another_run_nor_asks_for_images_again(
    kit: Kit, tmp_path: Path, words: io.StringIO
) -> None:
    kit.bring()
    other = os.open(tmp_path / "cache" / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    (tmp_path / "python").unlink()
    kit.bring()
    os.close(other)
    assert not (tmp_path / "python").exists()
    assert "waiting" not in words.getvalue()


def test_kit_asks_for_images_again_when_the_code_has_changed(kit: Kit, tmp_path: Path) -> None:
    kit.bring()
    (tmp_path / "python").unlink()
    (tmp_path / "checkout" / "images").mkdir()
    (tmp_path / "checkout" / "images" / "catalog.yaml").write_text("hello: {}\n")
    kit.bring()
    assert (tmp_path / "python").exists()


def test_update_selects_the_stack_and_then_judges_its_lock(kit: Kit, tmp_path: Path) -> None:
    tools = kit.bring()
    locks = tmp_path / "home/.local/share/runyard/state/.pulumi/locks/organization/runyard/dev"
    locks.mkdir(parents=True)
    (locks / "1.json").write_text('{"pid": 1, "hostname": "elsewhere", "timestamp": "2026-11-23T08:00:00Z"}')
    with pytest.raises(LockError, match="held by unknown@elsewhere, pid 1"):
        kit.update(tools, "dev")
    assert (tmp_path / "pulumi.log").read_text() == (
        f"file://{tmp_path}/home/.local/share/runyard/state?metadata=skip stack select dev --create --non-interactive\n"
    )


def test_update_is_held_to_a_saved_plan_only_when_one_is_given(kit: Kit) -> None:
    tools = kit.bring()
    assert kit.update(tools, "dev", "up", "plan.json").environment["RUNYARD_PLAN"] == str(Path("plan.json").absolute())
    assert "RUNYARD_PLAN" not in kit.update(tools, "dev").environment


def test_preview_of_a_stack_that_is_not_there_pretends_one_and_makes_none(
    kit: Kit, tmp_path: Path, words: io.StringIO
) -> None:
    tools = kit.bring()
    with kit.foreseen(tools, "new") as found:
        assert found.environment["PULUMI_BACKEND_URL"] != tools.environment["PULUMI_BACKEND_URL"]
        assert found.pulumi == tools.pulumi
    assert "preview: stack new is not there yet: `up` would make it, and all that follows\n" in words.getvalue()
    stacks = tmp_path / "home/.local/share/runyard/state/.pulumi/stacks/runyard"
    stacks.mkdir(parents=True)
    (stacks / "new.json").write_text("{}")
    with kit.foreseen(tools, "new") as found:
        assert found is tools
    with pytest.raises(NotFound, match=r"^stack other: must be one of those that are there \(new\)$"):
        kit.update(tools, "other", "preview")


@pytest.mark.parametrize("verb", ["run", "tests", "lint", "benchmarks"])
def test_verb_that_runs_a_command_is_refused_without_one_before_anything_is_brought(
    kit: Kit, words: io.StringIO, verb: str
) -> None:
    with pytest.raises(UsageError) as caught:
        getattr(kit, verb)([])
    assert str(caught.value) == f"{verb}: must be followed by a command: toolchain/bootstrap {verb} -- COMMAND"
    assert words.getvalue() == ""


def test_run_of_an_unknown_command_is_refused(kit: Kit) -> None:
    with pytest.raises(UsageError) as caught:
        kit.run(["nonesuch"])
    assert str(caught.value) == "run nonesuch: No such file or directory"


@pytest.mark.parametrize(("verb", "packages"), [("tests", FOR_TESTS), ("lint", FOR_LINT)])
def test_tests_and_linters_have_their_packages_and_go_and_no_engine(
    kit: Kit, program: WriteProgram, tmp_path: Path, words: io.StringIO, verb: str, packages: tuple[str, ...]
) -> None:
    program("dpkg-query", f'echo "$3" >> {tmp_path}/looked; printf installed')
    go = program("go", "echo go version go1.26.6 linux/amd64")
    with pytest.raises(UsageError, match=f"{verb} nonesuch: No such file or directory"):
        getattr(kit, verb)(["nonesuch"])
    assert words.getvalue() == f"environment: {tmp_path}/checkout/.venv is up to date\n"
    assert set((tmp_path / "looked").read_text().split()) == set(packages)
    assert kit.go.command() == go


def test_tests_find_the_go_that_was_brought_first_on_their_path(checkout: Path, tmp_path: Path) -> None:
    brought = tmp_path / "cache" / "go-1.26.6" / "bin" / "go"
    brought.parent.mkdir(parents=True)
    brought.write_text("#!/bin/sh\necho go version go1.26.6 linux/amd64\n")
    brought.chmod(0o755)
    # Found on a PATH that has no other, by a process of its own, because `tests` becomes its command.
    code = (
        "import os, pathlib, sys; from toolchain.kit import Kit\n"
        "kit = Kit(dict(os.environ), pathlib.Path(sys.argv[1]))\n"
        "kit.go.usual_place = pathlib.Path('/nonesuch')\n"
        "kit.tests(['sh', '-c', 'command -v go'])"
    )
    look = tmp_path / "programs" / "dpkg-query"
    look.parent.mkdir()
    look.write_text("#!/bin/sh\nprintf installed\n")
    look.chmod(0o755)
    variables = {"PATH": f"{look.parent}:/bin", "RUNYARD_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", code, checkout], cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1] == str(brought)


def test_kit_that_brings_something_leaves_nothing_of_a_killed_run(kit: Kit, tmp_path: Path) -> None:
    left = tmp_path / "cache" / f"{cache.STAGE}left"
    left.mkdir(parents=True)
    kit.bring()
    assert not left.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nonesuch"], 2, "invalid choice: 'nonesuch'"),
        (["run"], 2, "error: run: must be followed by a command: toolchain/bootstrap run -- COMMAND"),
    ],
)
def test_bootstrap_ends_with_one_clear_error(arguments: list[str], code: int, text: str) -> None:
    ended = subprocess.run(
        [Path(CHECKOUT, "toolchain", "bootstrap"), *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == code
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def bootstrap(tmp_path: Path) -> Path:
    """The bootstrap of a checkout that has no environment yet."""
    place = tmp_path / "bare" / "toolchain"
    place.mkdir(parents=True)
    return Path(shutil.copy(Path(CHECKOUT, "toolchain", "bootstrap"), place))


def run_bare(bootstrap: Path, verb: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([bootstrap, verb], capture_output=True, text=True, env=variables, timeout=20, check=False)


def test_bootstrap_with_an_environment_starts_its_python_at_once(
    bootstrap: Path, variables: dict[str, str], program: WriteProgram
) -> None:
    program("python3", "echo asked; exit 1")
    python = bootstrap.parents[1] / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    program("python", 'echo "its own $@"').rename(python)
    assert run_bare(bootstrap, "up", variables).stdout == "its own -S -m toolchain up\n"


def test_bootstrap_without_a_fit_python_tells_a_user_the_way_out(
    bootstrap: Path, variables: dict[str, str], program: WriteProgram
) -> None:
    program("python3", '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    program("id", "echo 1000")
    ended = run_bare(bootstrap, "bring", variables)
    assert ended.returncode == 1
    assert ended.stderr == (
        "toolchain: python3 with venv: must be at least 3.11, found Python 3.9.2\n"
        "  as root: apt-get install python3 python3-venv\n"
    )


def test_bootstrap_installs_python_as_root(
    bootstrap: Path, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    # Fit only once apt-get has been asked to install it.
    program("python3", f'[ -f {tmp_path}/apt ] || exit 1; echo "python3 $@"')
    program("id", "echo 0")
    program("apt-get", f'[ "$1" = update ] || echo "$@" > {tmp_path}/apt')
    ended = run_bare(bootstrap, "up", variables)
    assert ended.stdout.splitlines()[-1] == "python3 -m toolchain up"
    assert "python3 python3-venv" in (tmp_path / "apt").read_text()

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain import pins
from toolchain.base import BaseImage, has_image
from toolchain.cache import Cache
from toolchain.step import Steps

# An engine without images, and without a registry unless PULL says so; keeps what is imported.
DOCKER = """echo "$@" >> {log}
case "$1" in
image) [ -f {log}.has ] ;;
pull) {pull} ;;
import) cat > {log}.tar; touch {log}.has ;;
esac"""
# As debootstrap: fills the directory, and leaves packages and lists in it.
DEBOOTSTRAP = """echo "$@" > {log}.debootstrap
while [ "$1" != bookworm ]; do shift; done
mkdir -p "$2/etc" "$2/var/cache/apt/archives" "$2/var/lib/apt/lists"
echo bookworm > "$2/etc/debian_version"
touch "$2/var/cache/apt/archives/tar.deb" "$2/var/lib/apt/lists/mirror_dists_main"
{end}"""
TARGETS = """echo "bookworm-updates main http://mirror.test/debian/"
echo "bookworm contrib http://mirror.test/contrib/"
echo "bookworm main http://mirror.test/debian/" """

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a base image")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "docker.log"


def make(steps: Steps, store: Cache, variables: dict[str, str]) -> BaseImage:
    keyring = Path(variables["HOME"], "keyring.gpg")
    keyring.touch()
    return BaseImage(steps, store, variables, pins.load(), keyring)


def test_base_image_that_is_there_is_left_alone(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, log: Path, words: io.StringIO
) -> None:
    program("docker", DOCKER.format(log=log, pull="exit 1"))
    Path(f"{log}.has").touch()
    make(steps, store, variables).bring()
    assert words.getvalue() == "base image: debian:bookworm-slim is there\n"
    assert log.read_text() == "image inspect --format {{.Id}} debian:bookworm-slim\n"


def test_base_image_is_pulled_where_a_registry_answers(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, log: Path
) -> None:
    program("docker", DOCKER.format(log=log, pull="exit 0"))
    make(steps, store, variables).bring()
    assert log.read_text().splitlines()[-1] == "pull debian:bookworm-slim"


@needs_root
def test_base_image_is_made_from_packages_of_this_machines_mirror_where_no_registry_answers(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, log: Path, words: io.StringIO
) -> None:
    program("docker", DOCKER.format(log=log, pull="echo no such host >&2; exit 1"))
    program("debootstrap", DEBOOTSTRAP.format(log=log, end="exit 0"))
    program("apt-get", TARGETS)
    make(steps, store, variables).bring()
    assert log.read_text().splitlines()[-1] == 'import --change CMD ["bash"] - debian:bookworm-slim'
    with tarfile.open(f"{log}.tar") as tar:
        files = {each.name for each in tar if each.isfile()}
    assert files == {"./etc/debian_version"}
    asked = Path(f"{log}.debootstrap").read_text().split()
    assert asked[0] == "--variant=minbase"
    assert asked[-1] == "http://mirror.test/debian/"
    assert "base image: no image registry answers: made from Debian packages instead\n" in words.getvalue()
    assert not list(store.root.iterdir())


@needs_root
def test_base_image_that_cannot_be_made_leaves_nothing(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, log: Path
) -> None:
    program("docker", DOCKER.format(log=log, pull="exit 1"))
    program("debootstrap", DEBOOTSTRAP.format(log=log, end="echo E: no mirror; exit 1"))
    program("apt-get", "exit 0")
    with pytest.raises(ToolchainError, match=r"base image: run debootstrap: ended with code 1\n    E: no mirror"):
        make(steps, store, variables).bring()
    assert not list(store.root.iterdir())
    assert not Path(f"{log}.has").exists()


def test_missing_docker_command_is_one_clear_error(variables: dict[str, str]) -> None:
    with pytest.raises(ToolchainError) as caught:
        has_image("debian:bookworm-slim", variables)
    assert str(caught.value) == (
        "images: the docker command is needed to build them and is not installed\n  as root: apt-get install docker.io"
    )

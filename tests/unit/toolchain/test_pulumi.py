from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain import pins
from toolchain.cache import Cache
from toolchain.gobuild import Go
from toolchain.pins import Pins, Release
from toolchain.pulumi import Installer, Pulumi, parse_version, stop_logs
from toolchain.step import Steps

# A `go` that "builds" by writing what it was asked to, and knows where the SDK's module lies.
GO = """case "$1" in
version) echo go version go1.26.0 linux/amd64 ;;
list) echo {sdk} ;;
build) while [ "$1" != -o ]; do shift; done; echo "built $3" > "$2" ;;
esac"""

MakeInstaller = Callable[..., Installer]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Wrapper modules, as small as can be."""
    root = tmp_path / "sources"
    for module in ("pulumi", "language"):
        (root / module).mkdir(parents=True)
        for name in ("go.mod", "go.sum"):
            (root / module / name).write_text(f"{module} {name}\n")
    return root


@pytest.fixture
def make_installer(
    steps: Steps, store: Cache, variables: dict[str, str], sources: Path, tmp_path: Path, program: WriteProgram
) -> MakeInstaller:
    sdk = tmp_path / "sdk"
    for name in ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"):
        (sdk / name).parent.mkdir(parents=True)
        (sdk / name).write_text("executor\n")
        (sdk / name).chmod(0o444)
    program("go", GO.format(sdk=sdk))

    def make(release: Release | None = None) -> Installer:
        found: Pins = replace(pins.load(), pulumi=release or Release("3.259.0"))
        go = Go(steps, store, variables, "1.26", "1.26.6", tmp_path / "python", usual_place=tmp_path / "none")
        return Installer(steps, store, variables, found, go, sources)

    return make


def write_release(tmp_path: Path, *, sha256: str | None = None) -> Release:
    """Write an official archive, reached by a file address."""
    archive = tmp_path / "pulumi-v3.259.0-linux-x64.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("pulumi/pulumi", "pulumi/pulumi-language-python"):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = 8, 0o755
            tar.addfile(entry, io.BytesIO(b"official"))
    digest = sha256 or hashlib.sha256(archive.read_bytes()).hexdigest()
    return Release("3.259.0", archive.as_uri(), digest)


@pytest.mark.parametrize(
    ("text", "version"),
    [("v3.259.0\n", (3, 259, 0)), ("3.260.1-alpha.1", (3, 260, 1)), ("", ()), ("pulumi", ())],
)
def test_version_is_parsed_to_numbers(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("version", ["v3.259.0", "v3.300.1"])
def test_installed_pulumi_is_used_with_its_own_home(
    make_installer: MakeInstaller, program: WriteProgram, words: io.StringIO, version: str
) -> None:
    command = program("pulumi", f"echo {version}")
    program("pulumi-language-python", "exit 0")
    assert make_installer().bring() == Pulumi(command, None)
    assert words.getvalue() == f"pulumi: {version} is installed at {command}\n"


def test_installed_pulumi_that_is_too_old_is_passed_over(
    make_installer: MakeInstaller, program: WriteProgram, words: io.StringIO, store: Cache
) -> None:
    command = program("pulumi", "echo v3.258.9")
    program("pulumi-language-python", "exit 0")
    assert store.root in make_installer().bring().command.parents
    assert f"pulumi: {command} is v3.258.9: too old, 3.259.0 is needed\n" in words.getvalue()


def test_installed_pulumi_without_its_python_host_is_passed_over(
    make_installer: MakeInstaller, program: WriteProgram, words: io.StringIO, store: Cache
) -> None:
    program("pulumi", "echo v3.259.0")
    assert store.root in make_installer().bring().command.parents
    assert "has no pulumi-language-python beside it or on PATH" in words.getvalue()


def test_official_release_is_verified_and_unpacked(
    make_installer: MakeInstaller, words: io.StringIO, tmp_path: Path
) -> None:
    found = make_installer(write_release(tmp_path)).bring()
    assert found.command.read_bytes() == b"official"
    assert sorted(each.name for each in found.command.parent.iterdir()) == ["pulumi", "pulumi-language-python"]
    assert "pulumi: verified against toolchain/pins.toml\n" in words.getvalue()


def test_official_release_of_another_checksum_is_an_error_and_nothing_is_built(
    make_installer: MakeInstaller, store: Cache, words: io.StringIO, tmp_path: Path
) -> None:
    with pytest.raises(ToolchainError, match="sha256: must be 0000"):
        make_installer(write_release(tmp_path, sha256="0" * 64)).bring()
    assert list(store.root.iterdir()) == []
    assert "build" not in words.getvalue()


def test_pulumi_is_built_with_its_host_and_executors_where_no_release_is_to_be_had(
    make_installer: MakeInstaller, words: io.StringIO
) -> None:
    found = make_installer().bring()
    directory = found.command.parent
    assert found.command.read_text() == "built github.com/pulumi/pulumi/pkg/v3/cmd/pulumi\n"
    assert (directory / "pulumi-language-python").read_text() == "built .\n"
    for executor in ("pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        assert (directory / executor).stat().st_mode & 0o777 == 0o755
    assert "pulumi: the official release is not to be had here: no official release for this" in words.getvalue()


def test_pulumi_from_the_cache_is_not_built_again(make_installer: MakeInstaller, words: io.StringIO) -> None:
    first = make_installer().bring()
    words.truncate(0)
    words.seek(0)
    assert make_installer().bring() == first
    assert words.getvalue() == "pulumi: 3.259.0 is in the cache\n"


def test_pulumi_is_built_again_when_the_language_host_changes(make_installer: MakeInstaller, sources: Path) -> None:
    first = make_installer().bring()
    (sources / "language" / "main.go").write_text("package main\n")
    assert make_installer().bring() != first


def test_pulumi_of_this_very_cache_on_path_is_not_taken_for_the_users_own(
    make_installer: MakeInstaller, store: Cache, variables: dict[str, str]
) -> None:
    first = make_installer().bring()
    variables["PATH"] = f"{first.command.parent}:{variables['PATH']}"
    again = make_installer().bring()
    assert again == first
    assert again.home == store.root / "home"


def test_environment_puts_pulumi_first_and_names_its_home(tmp_path: Path) -> None:
    pulumi = Pulumi(tmp_path / "bin" / "pulumi", tmp_path / "home")
    found = pulumi.environment({"PATH": "/bin", "HOME": "/root"})
    assert found == {
        "GOGC": "400",
        "HOME": "/root",
        "PATH": f"{tmp_path}/bin:/bin",
        "PULUMI_CONTINUE_ON_ERROR": "true",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_PARALLEL": "16",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    assert pulumi.environment(found) == found


def test_environment_of_an_installed_pulumi_leaves_the_home_alone(tmp_path: Path) -> None:
    assert "PULUMI_HOME" not in Pulumi(tmp_path / "pulumi", None).environment({"PATH": "/bin"})


@pytest.mark.parametrize("variable", ["GOGC", "PULUMI_PARALLEL"])
def test_environment_keeps_the_users_own_setting(tmp_path: Path, variable: str) -> None:
    assert Pulumi(tmp_path / "pulumi", None).environment({"PATH": "/bin", variable: "50"})[variable] == "50"


def test_home_of_ours_gets_no_logs_and_loses_those_it_has(tmp_path: Path) -> None:
    (tmp_path / "home" / "logs").mkdir(parents=True)
    (tmp_path / "home" / "logs" / "pulumi-1-up.log").write_text("x")
    for _ in range(2):
        stop_logs(tmp_path / "home")
        assert (tmp_path / "home" / "logs").is_file()
    stop_logs(tmp_path / "new")
    assert (tmp_path / "new" / "logs").is_file()

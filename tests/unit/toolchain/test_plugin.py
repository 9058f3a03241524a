from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain import pins
from toolchain.cache import Cache
from toolchain.gobuild import Go
from toolchain.pins import Release
from toolchain.plugin import PROGRAM, PluginInstaller
from toolchain.pulumi import Pulumi
from toolchain.step import Steps

# A `go` whose programs write a schema when they are run, as cmd/schema does.
GO = """case "$1" in
version) echo go version go1.26.0 linux/amd64 ;;
build) while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\\necho "{}" > "$3/schema.json"\\n' > "$2"; chmod 755 "$2" ;;
esac"""
# A `pulumi plugin install resource docker 5.2.0 --file FILE --reinstall`.
PULUMI = f"""echo "$@" >> "$PULUMI_HOME.asked"
mkdir -p "$PULUMI_HOME/plugins/resource-docker-v5.2.0"
cp "$7" "$PULUMI_HOME/plugins/resource-docker-v5.2.0/{PROGRAM}" """

MakeInstaller = Callable[..., PluginInstaller]


@pytest.fixture
def pulumi(program: WriteProgram, tmp_path: Path) -> Pulumi:
    return Pulumi(program("pulumi", PULUMI), tmp_path / "pulumi-home")


@pytest.fixture
def make_installer(
    steps: Steps, store: Cache, variables: dict[str, str], tmp_path: Path, program: WriteProgram
) -> MakeInstaller:
    program("go", GO)
    sources = tmp_path / "sources"
    (sources / "bridge" / "cmd" / PROGRAM).mkdir(parents=True)
    (sources / "bridge" / "go.mod").write_text("module bridge\n")

    def make(release: Release | None = None) -> PluginInstaller:
        found = replace(pins.load(), docker_plugin=release or Release("5.2.0"))
        go = Go(steps, store, variables, "1.26", "1.26.6", tmp_path / "python", usual_place=tmp_path / "none")
        return PluginInstaller(steps, store, variables, found, go, sources)

    return make


def installed(pulumi: Pulumi) -> Path:
    assert pulumi.home
    return pulumi.home / "plugins" / "resource-docker-v5.2.0" / PROGRAM


def test_plugin_is_built_and_installed_where_no_release_is_to_be_had(
    make_installer: MakeInstaller, pulumi: Pulumi, store: Cache, tmp_path: Path, words: io.StringIO
) -> None:
    make_installer().bring(pulumi)
    assert installed(pulumi).exists()
    asked = (tmp_path / "pulumi-home.asked").read_text()
    assert asked.startswith(f"plugin install resource docker 5.2.0 --file {store.root}/plugin-docker-5.2.0-")
    assert asked.endswith(f"/{PROGRAM} --reinstall\n")
    # The program alone: neither the schema's program nor a copy of the sources.
    built = next(store.root.glob("plugin-docker-*"))
    assert [each.name for each in built.iterdir()] == [PROGRAM]
    # And the checkout's sources have got no schema.
    assert not list((tmp_path / "sources").rglob("schema.json"))
    assert "docker plugin: the official release is not to be had here" in words.getvalue()


def test_plugin_that_is_installed_is_left_alone(
    make_installer: MakeInstaller, pulumi: Pulumi, tmp_path: Path, words: io.StringIO
) -> None:
    installed(pulumi).parent.mkdir(parents=True)
    installed(pulumi).touch()
    make_installer().bring(pulumi)
    assert words.getvalue() == "docker plugin: 5.2.0 is installed\n"
    assert not (tmp_path / "pulumi-home.asked").exists()


def test_plugin_that_pulumi_was_interrupted_in_installing_is_installed_again(
    make_installer: MakeInstaller, pulumi: Pulumi, tmp_path: Path
) -> None:
    installed(pulumi).parent.mkdir(parents=True)
    installed(pulumi).touch()
    partial = installed(pulumi).parent.with_name("resource-docker-v5.2.0.partial")
    partial.touch()
    make_installer().bring(pulumi)
    assert (tmp_path / "pulumi-home.asked").exists()


def test_plugin_built_before_is_not_built_again_for_a_new_home(
    make_installer: MakeInstaller, pulumi: Pulumi, words: io.StringIO
) -> None:
    make_installer().bring(pulumi)
    installed(pulumi).unlink()
    words.truncate(0)
    make_installer().bring(pulumi)
    assert "build it from Go modules" not in words.getvalue()
    assert installed(pulumi).exists()


def test_official_plugin_is_installed_when_it_verifies(
    make_installer: MakeInstaller, pulumi: Pulumi, store: Cache, tmp_path: Path, words: io.StringIO
) -> None:
    archive = tmp_path / "official.tar.gz"
    archive.write_bytes(b"official")
    release = Release("5.2.0", archive.as_uri(), hashlib.sha256(b"official").hexdigest())
    make_installer(release).bring(pulumi)
    assert installed(pulumi).read_bytes() == b"official"
    assert "docker plugin: verified against toolchain/pins.toml\n" in words.getvalue()
    assert list(store.root.iterdir()) == []


def test_official_plugin_of_another_checksum_is_an_error(
    make_installer: MakeInstaller, pulumi: Pulumi, tmp_path: Path
) -> None:
    archive = tmp_path / "official.tar.gz"
    archive.write_bytes(b"forged")
    with pytest.raises(ToolchainError, match="sha256: must be 0000"):
        make_installer(Release("5.2.0", archive.as_uri(), "0" * 64)).bring(pulumi)
    assert not installed(pulumi).exists()


def test_plugin_of_an_installed_pulumi_goes_to_the_users_own_home(
    make_installer: MakeInstaller, pulumi: Pulumi, variables: dict[str, str], tmp_path: Path
) -> None:
    variables["PULUMI_HOME"] = str(tmp_path / "own-home")
    make_installer().bring(Pulumi(pulumi.command, None))
    assert (tmp_path / "own-home" / "plugins" / "resource-docker-v5.2.0" / PROGRAM).exists()

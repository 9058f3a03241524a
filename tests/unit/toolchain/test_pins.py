from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from toolchain import pins

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("machine", "suffix"), [("x86_64", "linux-x64.tar.gz"), ("aarch64", "linux-arm64.tar.gz")])
def test_pins_name_the_archive_of_the_architecture(machine: str, suffix: str) -> None:
    loaded = pins.load(machine=machine)
    assert loaded.pulumi.url.endswith(f"pulumi-v{loaded.pulumi.version}-{suffix}")
    assert loaded.pulumi.version in loaded.pulumi.checksums


def test_pins_of_an_unknown_architecture_have_no_archive() -> None:
    assert pins.load(machine="riscv64").pulumi.url == ""


def test_pins_agree_with_the_python_packages() -> None:
    deploy = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["deploy"]
    loaded = pins.load()
    assert f"pulumi=={loaded.pulumi.version}" in deploy
    assert f"pulumi-docker=={loaded.docker_plugin.version}" in deploy


def test_pins_agree_with_the_go_wrappers() -> None:
    loaded = pins.load()
    version = f"v{loaded.pulumi.version}"
    assert f"github.com/pulumi/pulumi/pkg/v3 {version}\n" in (ROOT / "toolchain/pulumi/go.mod").read_text()
    assert f"github.com/pulumi/pulumi/sdk/v3 {version}\n" in (ROOT / "toolchain/language/go.mod").read_text()
    assert f'"{loaded.pulumi.version}"' in (ROOT / "toolchain/language/host.go").read_text()
    assert f'const Version = "{loaded.docker_plugin.version}"' in (ROOT / "toolchain/bridge/bridge.go").read_text()


def test_pinned_go_is_new_enough_for_every_program_that_is_built() -> None:
    modules = [*(ROOT / "toolchain").glob("*/go.mod"), *(ROOT / "services").glob("**/go.mod")]
    wanted = [re.findall(r"^go (\S+)$", module.read_text(), re.MULTILINE) for module in modules]
    newest = max([int(part) for part in version.split(".")] for (version,) in wanted)
    assert [int(part) for part in pins.load().go_minimum.split(".")] == newest

"""Lock files, changed or unsigned: what they name does not come, whatever would bring it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.harness.programs import go
from tests.unit import checkout
from tests.unit.toolchain.test_environment import Checkout
from toolchain.cache import Cache
from toolchain.gobuild import Go
from toolchain.step import Steps

MODULE, VERSION = "example.test/part", "v1.0.0"
SOURCES = {"go.mod": f"module {MODULE}\n\ngo 1.24\n", "part.go": "package part\n\nconst Number = 1\n"}
# What takes things without looking at their signature or hash, of pip, uv, apt, debootstrap, Go, curl and Docker.
SWITCHES = (
    *("--trusted-host", "--allow-insecure-host", "--allow-unauthenticated", "AllowUnauthenticated", "trusted=yes"),
    *(
        "--no-check-gpg",
        "--no-check-certificate",
        "--insecure",
        "GONOSUMDB",
        "GONOSUMCHECK",
        "GOINSECURE",
        "GOFLAGS=-mod=mod",
    ),
    *("GOSUMDB=off", "-insecure", "PIP_NO_VERIFY", "AllowInsecureRepositories"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sample==1.0 --hash=sha256:" + "0" * 64 + "\n", "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ("sample==1.0\n", "Hashes are required in --require-hashes mode"),
    ],
    ids=["changed", "unsigned"],
)
def test_python_package_comes_with_its_hash_or_not_at_all(tmp_path: Path, steps: Steps, line: str, said: str) -> None:
    made = Checkout(tmp_path / "checkout", steps)
    made.lock("1.0")
    (made.root / "toolchain" / "requirements.txt").write_text(line)
    with pytest.raises(ToolchainError, match=said):
        made.environment.bring()
    assert not made.environment.is_whole()


def write_proxy(directory: Path) -> None:
    """Write a module as Go's proxies serve it."""
    place = directory / MODULE / "@v"
    place.mkdir(parents=True)
    (place / "list").write_text(f"{VERSION}\n")
    (place / f"{VERSION}.info").write_text(json.dumps({"Version": VERSION}))
    (place / f"{VERSION}.mod").write_text(SOURCES["go.mod"])
    with zipfile.ZipFile(place / f"{VERSION}.zip", "w") as packed:
        for name, text in SOURCES.items():
            packed.writestr(f"{MODULE}@{VERSION}/{name}", text)


def hash_of(files: dict[str, str]) -> str:
    """Hash files as go.sum does (h1, golang.org/x/mod/sumdb/dirhash): the SHA-256 of their SHA-256 and names."""
    listed = "".join(f"{hashlib.sha256(files[name].encode()).hexdigest()}  {name}\n" for name in sorted(files))
    return "h1:" + base64.b64encode(hashlib.sha256(listed.encode()).digest()).decode()


SUM = hash_of({f"{MODULE}@{VERSION}/{name}": text for name, text in SOURCES.items()})
SUM_OF_MOD = hash_of({"go.mod": SOURCES["go.mod"]})
WHOLE = f"{MODULE} {VERSION} {SUM}\n{MODULE} {VERSION}/go.mod {SUM_OF_MOD}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sums", "said"),
    [
        (WHOLE, ""),
        (WHOLE.replace(SUM, "h1:" + base64.b64encode(b"\0" * 32).decode()), "SECURITY ERROR"),
        (f"{MODULE} {VERSION}/go.mod {SUM_OF_MOD}\n", "missing go.sum entry"),
        ("", "missing go.sum entry"),
    ],
    ids=["whole", "changed", "unsigned", "none"],
)
def test_go_module_comes_with_its_hash_or_not_at_all(tmp_path: Path, steps: Steps, sums: str, said: str) -> None:
    write_proxy(tmp_path / "proxy")
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text(f"module example.test/main\n\ngo 1.24\n\nrequire {MODULE} {VERSION}\n")
    (module / "go.sum").write_text(sums)
    (module / "main.go").write_text(f'package main\n\nimport "{MODULE}"\n\nfunc main() {{ println(part.Number) }}\n')
    variables = {
        **os.environ,
        "GOPROXY": (tmp_path / "proxy").as_uri(),
        "GOMODCACHE": str(tmp_path / "modules"),
        # What somebody's shell may have switched off does not count: go.sum is asked all the same.
        "GONOSUMDB": "*",
        "GOFLAGS": "-modcacherw",
    }
    builder = Go(steps, Cache(tmp_path / "cache"), variables, "1.24", "1.26.6", Path("python"), Path(go()))
    try:
        if said:
            with pytest.raises(ToolchainError, match=said):
                builder.build(module, tmp_path / "main")
        else:
            builder.build(module, tmp_path / "main")
        assert (tmp_path / "main").exists() is not bool(said)
        assert (module / "go.sum").read_text() == sums
    finally:
        subprocess.run(["chmod", "-R", "u+w", tmp_path / "modules"], check=False, capture_output=True)


def test_nothing_is_taken_without_its_signature() -> None:
    paths = [each for each in checkout.files() if each.suffix in {".py", ".sh", ".toml", ".yaml", ".yml", ""}]
    paths += [Path(".ci/run"), Path("Makefile"), Path("toolchain/bootstrap")]
    found = [
        f"{path}: {switch}"
        for path in {*paths} - {Path(__file__).relative_to(checkout.ROOT)}
        for switch in SWITCHES
        if re.search(rf"(?<![\w-]){re.escape(switch)}(?![\w-])", checkout.text(path))
    ]
    assert found == []

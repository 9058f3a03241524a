"""What `doctor` tells of a machine without an engine, and of parts that manifests ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runyard.cli.doctor import doctor
from runyard.errors import HostError


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")


def call(*arguments: str) -> tuple[str, str]:
    """Give what is written and the error that ends it."""
    done = CliRunner().invoke(doctor, arguments)
    assert isinstance(done.exception, HostError), done.output
    return done.stdout, str(done.exception)


def test_what_is_lacking_comes_first_with_what_mends_it_and_fails() -> None:
    text, error = call()
    first, mend, *_ = text.splitlines()
    assert first.startswith("lacking  engine: ")
    assert mend.startswith("  mend: systemctl start docker")
    assert "lacking for stack dev, told first above" in error


def test_parts_and_ports_are_those_of_the_manifests_platform(tmp_path: Path) -> None:
    platform: dict[str, Any] = {"apiVersion": "runyard.dev/v1", "kind": "Platform", "metadata": {"name": "platform"}}
    spec = {"gateway": {"port": 18123}, "observability": {"level": "basic"}}
    (tmp_path / "platform.yaml").write_text(json.dumps({**platform, "spec": spec}))
    told, _ = call(str(tmp_path / "platform.yaml"), "-s", "prod", "-o", "json")
    report = json.loads(told)
    ports = {each["title"]: each["seen"] for each in report["diagnoses"] if each["title"].startswith("port of ")}
    assert ports["port of gateway"].startswith("127.0.0.1:18123 is ")
    assert {"port of meter", "port of prometheus"} <= ports.keys()
    assert report["stack"] == "prod"

"""The kinds joined to a host: every one that the components declare, and what they do where no engine answers."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from provider.document import render_documents
from provider.host import Host
from provider.kind import ResourceState, Unfinished
from provider.signature import sign
from runyard import contracts
from runyard.contracts import ImageIdentity
from runyard.errors import HostUnreachable
from tests.unit.provider.test_service import document, inputs

ROOT = Path(__file__).parents[3]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    return Host(check=lambda: None, tell=lambda _text: None, reviewed={})


def test_kinds_are_those_that_components_declare(host: Host) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "components").glob("*.py"))
    declared = re.findall(r'(?:\{_PACKAGE\}|runyard:index:)([A-Z]\w+)"', sources)
    assert sorted(host.kinds()) == sorted(set(declared))


def test_preview_goes_on_without_an_engine(host: Host) -> None:
    kinds, given = host.kinds(), inputs(document())
    assert kinds["Service"].find_lost(ResourceState("dev/default/hello", given, {})) == []
    assert kinds["Claim"].find_lost(ResourceState("dev/claim", {"stack": "dev", "claim": "{}"}, {})) == ()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("Claim", {"stack": "dev", "claim": '{"stack":"dev"}'}),
        ("Certificate", {"stack": "dev", "name": "shop", "chain": "CHAIN", "key": "KEY"}),
        ("Service", inputs(document())),
    ],
)
def test_what_needs_an_engine_says_that_none_answers(host: Host, kind: str, given: dict[str, str]) -> None:
    with pytest.raises(HostUnreachable, match=r"^connect to the Docker engine: "):
        host.kinds()[kind].create(given)


@pytest.mark.parametrize("kind", ["Certificate", "GatewayConfiguration", "Service", "Sweep"])
def test_deletion_without_an_engine_is_not_taken_for_done(host: Host, kind: str) -> None:
    given = {"stack": "dev", "name": "shop", "tenant": "default", "service": "hello", "image": "i"}
    with pytest.raises(HostUnreachable):
        host.kinds()[kind].delete(ResourceState("id", given, {}))


def test_rollout_of_what_is_signed_already_is_unfinished_without_an_engine(host: Host) -> None:
    given, made = inputs(document()), dataclasses.replace(document(), images={"hello": ImageIdentity("sha256:a")})
    documents = render_documents([sign(given["key"], contracts.encode(made))])
    state = ResourceState("dev/default/hello", given, {"documents": documents, "revision": "hello-1"})
    with pytest.raises(Unfinished, match=r"^connect to the Docker engine: ") as raised:
        host.kinds()["Service"].update(state, given)
    assert raised.value.outputs.plain == {"documents": documents, "revision": "hello-1"}
    # Nobody waits, so there is nothing to end.
    host.cancel()

"""Stacks for the end-to-end tests: those that tests share, and one of its own for each that needs an empty host."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.orchestrator.tls.authority import create_authority
from tests.harness.stack import Stack, new_stack, service

# Signs the certificate that the shared stack has in its configuration.
SIGNER = create_authority("localhost", "e2e", time.time())


# Files whose tests run when nothing else does, and why. Others may be two at a time.
ALONE = {
    "test_restart": "restarts the engine, which every stack sees",
    "test_fidelity": "fills the host: while its orchestrator is silent, all its instances' limits count against others",
}

# Files that take minutes begin first, the longest at the front: for one that begins last the other worker waits.
FIRST = ("test_failures", "test_succession", "test_operating", "test_trust", "test_interleavings", "test_admission")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # All that are collected come here, those of other directories too.
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in ours:
        item.add_marker(pytest.mark.engine)
        if item.path.stem in ALONE:
            item.add_marker(pytest.mark.alone)
    place = {item: FIRST.index(item.path.stem) for item in ours if item.path.stem in FIRST}
    items.sort(key=lambda item: place.get(item, len(FIRST)))


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """Refuse to run without the tools, rather than skip: `make test` brings them."""
    missing = [tool for tool in ("pulumi", "docker") if shutil.which(tool) is None]
    assert missing == [], f"not on PATH: {missing}; run `make test`, which brings them"


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack of the test's own, with nothing in it."""
    with new_stack(tmp_path_factory, "stack") as made:
        yield made


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with new_stack(tmp_path_factory, "shared") as made:
        yield made


@pytest.fixture
def shared(module_stack: Stack) -> Stack:
    """Give the module's stack without services: for every test that does not begin or end with an empty host."""
    module_stack.clear()
    return module_stack


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack that is up: `web` (two instances) may call `cart`, and `cart` nobody.

    It speaks TLS beside plain HTTP: cart's certificate is in the configuration, the others are the local CA's.
    """
    with new_stack(tmp_path_factory, "shop") as made:
        made.platform(gateway={"port": made.port, "tls": {"mode": "local", "port": made.tls_port, "redirect": False}})
        pair = SIGNER.issue("cart.localhost", time.time())
        for part, text in (("certificate", pair.chain), ("key", pair.key)):
            made.set_secret(f"runyard:certificates.cart.{part}", text)
        # So many and no more, whatever load a test makes.
        one, two = ({f"autoscaling.knative.dev/{each}Scale": count for each in ("min", "max")} for count in "12")
        made.write("web", service("web", annotations={"runyard.dev/uses": "cart"}, template=two))
        made.write("cart", service("cart", template=one))
        made.write("single", service("single", template=one))
        made.up()
        yield made

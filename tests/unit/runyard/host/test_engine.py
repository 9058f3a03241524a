"""Engine: breadcrumbs before what the engine or a library says, and an engine that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import Conflict, HostError, HostUnreachable, NotFound, RolloutError
from runyard.host import Engine
from runyard.host.engine import translated


@pytest.mark.parametrize(
    ("error", "ours", "text"),
    [
        (NotFound("No such container: a"), NotFound, "do it: No such container: a"),
        (Conflict("name in use"), Conflict, "do it: name in use"),
        (HostError("disk full"), HostError, "do it: disk full"),
        (ConnectionRefusedError("refused"), HostUnreachable, "do it: refused"),
        (ValueError("no JSON"), HostError, "do it: the engine's answer cannot be read: no JSON"),
    ],
)
def test_errors_get_what_was_being_done_before_their_words(error: Exception, ours: type[HostError], text: str) -> None:
    with pytest.raises(ours) as caught, translated("do it"):
        raise error
    assert (type(caught.value), str(caught.value)) == (ours, text)


def test_errors_that_are_not_the_hosts_pass_as_they_are() -> None:
    with pytest.raises(RolloutError, match=r"^as it was$"), translated("do it"):
        raise RolloutError("as it was")


def test_connection_to_no_engine_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(HostUnreachable) as caught:
        Engine()
    assert str(caught.value) == (
        f"connect to the Docker engine: no Docker engine answers at unix://{tmp_path}/no.sock: No such file or "
        "directory; is it running, is DOCKER_HOST right?"
    )

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.contracts import ContainerOwner
from services.logs.source import Source
from services.logs.sources import UNKNOWN_S, Sources
from tests.harness.logs import EngineLog

WEB, OTHER = "a" * 64, "b" * 64
OWNER = ContainerOwner("shop", "web", "web-1", "a1", "app")


def lines(source: Source) -> int:
    piece = source.read()
    return 0 if piece is None else len(piece.lines)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def test_container_that_ended_before_anybody_knew_whose_it_is_leaves_its_lines(
    tmp_path: Path, sources: Sources
) -> None:
    log = EngineLog(tmp_path, WEB)
    log.write("one", "two")
    sources.look(0.0, known=True)
    log.remove()
    sources.look(1.0, known=True)
    assert sources.there == frozenset()
    found = sources.claim({WEB: OWNER}, {}, {})
    assert {container: lines(source) for container, source in found.items()} == {WEB: 2}
    # It is whoever's who took it.
    assert sources.claim({WEB: OWNER}, {}, {}) == {}


def test_container_of_somebody_else_is_let_go_in_time_and_taken_up_if_it_is_claimed_after_all(
    tmp_path: Path, sources: Sources
) -> None:
    log = EngineLog(tmp_path, OTHER)
    log.write("one")
    for now, known in ((0.0, True), (UNKNOWN_S + 1, False)):
        sources.look(now, known=known)
    # While the orchestrator does not tell, nobody is somebody else's.
    log.remove()
    assert lines(sources.claim({OTHER: OWNER}, {}, {})[OTHER]) == 1
    log = EngineLog(tmp_path, WEB)
    log.write("one")
    for now in (0.0, UNKNOWN_S + 1):
        sources.look(now, known=True)
    assert lines(sources.claim({WEB: OWNER}, {}, {})[WEB]) == 1


def test_container_without_a_file_yet_is_claimed_once_it_has_one_and_what_is_taken_is_not_taken_again(
    tmp_path: Path, sources: Sources
) -> None:
    (tmp_path / WEB).mkdir()
    (tmp_path / "lost+found").mkdir()
    sources.look(0.0, known=True)
    assert sources.claim({WEB: OWNER, OTHER: OWNER}, {}, {}) == {}
    (tmp_path / WEB / f"{WEB}-json.log").touch()
    sources.look(1.0, known=True)
    found = sources.claim({WEB: OWNER}, {}, {})
    assert list(found) == [WEB]
    sources.look(2.0, known=True)
    assert sources.claim({WEB: OWNER}, found, {}) == {}


def test_log_goes_on_from_the_place_of_another_life(tmp_path: Path, sources: Sources) -> None:
    log = EngineLog(tmp_path, WEB)
    log.write("one")
    sources.look(0.0, known=True)
    (source,) = sources.claim({WEB: OWNER}, {}, {}).values()
    assert lines(source) == 1
    place = source.place(source.position)
    assert place is not None
    log.write("two", "three")
    again = Sources(tmp_path)
    again.look(0.0, known=True)
    (source,) = again.claim({WEB: OWNER}, {}, {WEB: place}).values()
    assert lines(source) == 2

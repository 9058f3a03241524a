"""The room that a tenant's quota has for a run."""

from __future__ import annotations

import pytest

from runyard.errors import PolicyError
from services.orchestrator.model.revision import Revision
from services.orchestrator.runs.quota import Taken, check_quota

from ..world import container, document

REVISION = Revision(document("hello-1", container(cpu_millis=250, memory_bytes=64)))


def test_what_fits_to_the_last_unit_is_let_in() -> None:
    check_quota(REVISION, {"cpu": 750, "memory": 128, "instances": 2, "services": 0}, [Taken(500, 64)])
    check_quota(REVISION, {}, [Taken(10**6, 10**12)] * 100)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"cpu": 749}, "quota of cpu must be at least 750m while it runs, got 749m"),
        ({"memory": 127}, "quota of memory must be at least 128 bytes while it runs, got 127 bytes"),
        ({"instances": 1}, "quota of instances must be at least 2 while it runs, got 1"),
    ],
)
def test_one_unit_over_a_limit_is_over_it(limits: dict[str, int], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_quota(REVISION, limits, [Taken(500, 64)])
    assert str(caught.value) == f"run default/hello: tenant default's {message}"

"""A claim that is kept: whose it is, and what its tenants may use at most."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runyard.errors import NotFound, UsageError
from services.orchestrator.store.claim import ClaimStore

from ..world import ListJournal


def store(directory: Path, journal: ListJournal | None = None) -> ClaimStore:
    return ClaimStore(directory, "dev", journal or ListJournal())


def test_claim_and_its_quotas_outlive_a_restart(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert (kept.quotas("shop"), kept.digest) == ({}, "")
    with pytest.raises(NotFound):
        kept.get()
    text = json.dumps({"stack": "dev", "quotas": {"shop": {"memory": 5, "instances": 2}}})
    kept.put(text)
    again = store(tmp_path)
    assert (again.get(), again.quotas("shop"), again.quotas("other")) == (text, {"memory": 5, "instances": 2}, {})


@pytest.mark.parametrize("quotas", [None, [], {"shop": None}, {"shop": [1]}, {"shop": {"memory": "5"}}], ids=str)
def test_quotas_of_another_shape_are_no_limits(tmp_path: Path, quotas: object) -> None:
    kept = store(tmp_path)
    kept.put(json.dumps({"stack": "dev", "quotas": quotas}))
    assert kept.quotas("shop") == {}


@pytest.mark.parametrize("text", ["[]", "{", '{"stack": "other"}'])
def test_claim_that_is_none_of_the_stack_s_is_refused_and_the_kept_one_stays(tmp_path: Path, text: str) -> None:
    kept = store(tmp_path)
    kept.put('{"stack": "dev"}')
    with pytest.raises(UsageError, match="claim: "):
        kept.put(text)
    assert kept.get() == '{"stack": "dev"}'


def test_file_that_is_broken_is_told_and_is_no_claim(tmp_path: Path) -> None:
    (tmp_path / "claim.json").write_text("{")
    journal = ListJournal()
    assert store(tmp_path, journal).digest == ""
    assert journal.events() == ["claim corrupt"]

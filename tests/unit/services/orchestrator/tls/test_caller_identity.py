"""Caller identity: keys that the gateway gets and the disk keeps, and certificates of `.internal` apart from others."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from pathlib import Path

import pytest

from runyard.errors import HostError, UsageError
from services.orchestrator.tls.authority import create_authority
from services.orchestrator.tls.caller_identity import KEYS_FILE, CallerKeys, OneSide, internal_hosts
from services.orchestrator.tls.caller_keys import LIFE_S
from services.orchestrator.tls.vault import Vault

from ..world import NOW, FakeAdmin, ListJournal


class KeyDesk:
    """The gateway's keys in memory, which it can refuse or be away; `now` is the wall clock."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.journal, self.now = directory, ListJournal(), NOW
        self.text, self.puts = "", 0
        self.error: Exception | None = None

    def open(self) -> CallerKeys:
        return CallerKeys(Vault(self.directory / "callers"), "dev", self, lambda: self.now, self.journal)

    async def caller_keys(self) -> str:
        if self.error:
            raise self.error
        return hashlib.md5(self.text.encode(), usedforsecurity=False).hexdigest() if self.text else ""

    async def put_caller_keys(self, text: str) -> None:
        self.text, self.puts = text, self.puts + 1

    def kids(self) -> list[str]:
        return [each["kid"] for each in json.loads(self.text)["keys"]]


@pytest.fixture
def desk(tmp_path: Path) -> KeyDesk:
    return KeyDesk(tmp_path)


def test_gateway_gets_keys_once_and_again_when_it_has_lost_them(desk: KeyDesk) -> None:
    keys = desk.open()
    asyncio.run(keys.sync())
    asyncio.run(keys.sync())
    assert (desk.puts, len(desk.kids())) == (1, 1)
    desk.text = ""
    asyncio.run(keys.sync())
    assert desk.puts == 2
    assert "PRIVATE" not in str(desk.journal.entries)


def test_keys_outlive_the_orchestrator_in_a_file_of_its_user(desk: KeyDesk) -> None:
    asyncio.run(desk.open().sync())
    before = desk.text
    asyncio.run(desk.open().sync())
    assert (desk.text, desk.puts) == (before, 1)
    assert stat.S_IMODE((desk.directory / "callers" / KEYS_FILE).stat().st_mode) == 0o600


def test_key_that_is_old_is_followed_by_another_while_both_are_shown(desk: KeyDesk) -> None:
    keys = desk.open()
    asyncio.run(keys.sync())
    (first,) = desk.kids()
    desk.now += LIFE_S
    asyncio.run(keys.sync())
    assert (len(desk.kids()), desk.kids()[1]) == (2, first)
    assert json.loads(desk.text)["signing"]["kid"] == first


def test_damaged_file_is_told_and_made_anew(desk: KeyDesk) -> None:
    asyncio.run(desk.open().sync())
    (first,) = desk.kids()
    (desk.directory / "callers" / KEYS_FILE).write_text("{")
    asyncio.run(desk.open().sync())
    assert first not in desk.kids()
    assert [what for what, _ in desk.journal.entries].count("caller keys corrupt") == 1


@pytest.mark.parametrize("error", [HostError("away"), UsageError("refused")])
def test_gateway_that_cannot_take_them_is_told_once_and_tried_again(desk: KeyDesk, error: Exception) -> None:
    keys = desk.open()
    desk.error = error
    for _ in range(3):
        asyncio.run(keys.sync())
    assert [what for what, _ in desk.journal.entries] == ["caller key made", "caller keys not sent"]
    desk.error = None
    asyncio.run(keys.sync())
    assert len(desk.kids()) == 1


def test_each_side_sees_and_puts_its_own_certificates_alone() -> None:
    gateway = FakeAdmin()
    inner, outer = OneSide(gateway, internal=True), OneSide(gateway, internal=False)
    pairs = {host: create_authority(host.partition(".")[2], "dev", NOW).issue(host, NOW) for host in HOSTS}
    asyncio.run(inner.put_certificate("cart.internal", pairs["cart.internal"]))
    asyncio.run(outer.put_certificate("cart.localhost", pairs["cart.localhost"]))
    assert set(asyncio.run(inner.certificates())) == {"cart.internal"}
    assert set(asyncio.run(outer.certificates())) == {"cart.localhost"}
    # A certificate that somebody gave for `*.internal` would else answer instances.
    with pytest.raises(UsageError, match=r"^certificate cart.internal: hosts of .internal have"):
        asyncio.run(outer.put_certificate("cart.internal", pairs["cart.internal"]))


HOSTS = ("cart.internal", "cart.localhost")


def test_hosts_of_callees_are_covered_and_the_metadata_servers() -> None:
    assert internal_hosts([("cart", "stock"), ("cart",)]) == {"cart.internal", "stock.internal", "metadata.internal"}

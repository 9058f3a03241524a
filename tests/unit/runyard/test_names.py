from __future__ import annotations

import json
import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard import names
from tests.unit.checkout import ROOT

LABEL = st.from_regex(names.DNS_LABEL, fullmatch=True)


@pytest.mark.parametrize("label", ["a", "web", "web-1", "a" * 63])
def test_label_is_what_dns_allows(label: str) -> None:
    assert names.DNS_LABEL.fullmatch(label)


@pytest.mark.parametrize("label", ["", "1a", "-a", "a-", "A", "a.b", "a_b", "a" * 64, "a\n", "ä"])
def test_label_that_dns_refuses_is_refused(label: str) -> None:
    assert not names.DNS_LABEL.fullmatch(label)


def test_containers_are_named_by_their_whole_identity() -> None:
    assert names.instance_container("dev", "shop", "web-1", "app", "7f") == "runyard.dev.shop.web-1.app.7f"
    assert names.platform_container("dev", "gateway") == "runyard.dev.gateway"
    assert names.claim_container("dev") == "runyard.dev.claim"


@given(st.lists(st.tuples(LABEL, LABEL, LABEL, LABEL), min_size=2, max_size=2, unique=True))
def test_two_identities_never_share_a_name(pair: list[tuple[str, str, str, str]]) -> None:
    assert names.instance_container(*pair[0], "a1") != names.instance_container(*pair[1], "a1")
    assert names.service_key(*pair[0][:2]) != names.service_key(*pair[1][:2]) or pair[0][:2] == pair[1][:2]


def test_networks_of_tenants_and_platform_never_clash() -> None:
    tenants = ["platform", "tenant", "internal", "default"]
    found = [names.tenant_network("dev", each, internal=inside) for each, inside in product(tenants, (True, False))]
    assert len({*found, names.platform_network("dev")}) == len(found) + 1


def test_default_tenant_is_left_out_of_hosts() -> None:
    assert names.service_host("web", "default", "localhost") == "web.localhost"
    assert names.service_host("web", "shop", "localhost") == "web.shop.localhost"
    assert names.tagged_host("new", "web.localhost") == "new---web.localhost"
    assert names.internal_host("cart") == "cart.internal"


def test_revision_is_named_as_asked_or_by_its_hash() -> None:
    digest = names.digest("what shapes it")
    assert names.revision_name("web", "web-blue", digest) == "web-blue"
    assert names.revision_name("web", None, digest) == f"web-{digest[:8]}"


def test_longest_service_s_revision_is_still_a_label() -> None:
    schema = json.loads((ROOT / "manifests" / "schema" / "service.json").read_text())
    taken = schema["properties"]["metadata"]["properties"]["name"]["pattern"]
    longest = max(("a" * length for length in range(1, 64) if re.fullmatch(taken, "a" * length)), key=len)
    assert names.DNS_LABEL.fullmatch(names.revision_name(longest, None, names.digest("x")))
    assert len(longest) == 49


def test_digest_is_the_same_everywhere() -> None:
    assert names.digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_sockets_lie_in_the_directories_that_are_mounted() -> None:
    for each in (names.GATEWAY_ADMIN_SOCKET, names.GATEWAY_WAKE_SOCKET):
        assert each.startswith(names.GATEWAY_DIRECTORY + "/")
    assert names.ORCHESTRATOR_SOCKET.startswith(names.ORCHESTRATOR_DIRECTORY + "/")


def test_tenants_have_accounts_of_their_own_that_any_machine_finds() -> None:
    # SHA-256 of the name: 0x37a8eec1, 0xce19687d.
    assert names.log_account("default") == (0x37A8EEC1, 0xCE19687D)
    assert names.log_account("shop") != names.log_account("default")


def test_name_that_runyard_gives_is_told_from_others() -> None:
    assert names.is_runyards(names.platform_volume("prod", "gateway"))
    assert not names.is_runyards("runyards.data")


def test_volumes_of_tenants_and_of_instances_never_share_a_name() -> None:
    found = [
        names.persistent_volume("prod", "volume", "data"),
        names.persistent_volume("prod", "default", "data"),
        names.instance_volume("prod", "volume", "default", "data", "1"),
        names.instance_volume("prod", "default", "web-1", "data", "1"),
        names.part_volume("prod", "default", "web-1", ("data", "a"), "1"),
        names.part_volume("prod", "default", "web-1", ("data", "a/b"), "1"),
    ]
    assert len(set(found)) == len(found)
    assert not any(map(names.DNS_LABEL.fullmatch, names.HELPERS))

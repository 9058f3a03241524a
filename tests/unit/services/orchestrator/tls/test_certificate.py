"""Certificates and the local CA: what they say, and what is refused."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from runyard.errors import UsageError
from services.orchestrator.model.pair import Pair
from services.orchestrator.tls.authority import AUTHORITY_LIFE_S, BACKDATED_S, LEAF_LIFE_S, create_authority
from services.orchestrator.tls.certificate import Facts, covering, describe, describe_authority

from ..world import NOW

CA = create_authority("localhost", "dev", NOW)


def test_issued_certificate_says_its_host_and_its_life() -> None:
    assert describe(CA.issue("a.localhost", NOW)) == Facts(("a.localhost",), NOW - BACKDATED_S, NOW + LEAF_LIFE_S)


def test_authority_is_bound_to_its_domain_and_may_sign_no_other_authority() -> None:
    (certificate,) = x509.load_pem_x509_certificates(CA.pair.chain.encode())
    limits = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert limits.value.permitted_subtrees == [x509.DNSName("localhost")]
    assert len(limits.value.excluded_subtrees or ()) == 2
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    assert describe_authority(CA.pair).not_after == NOW + AUTHORITY_LIFE_S


@pytest.mark.parametrize("host", ["example.com", "evillocalhost", "localhost.example.com", "*.example.com"])
def test_authority_signs_nothing_outside_its_domain(host: str) -> None:
    with pytest.raises(UsageError, match=r"must be in the local CA's domain localhost; give it a file instead$"):
        CA.issue(host, NOW)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "b---a.team.localhost", "*.team.localhost"])
def test_authority_s_certificates_pass_openssl(host: str) -> None:
    pair = CA.issue(host, NOW)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context = ssl.create_default_context(cadata=CA.pair.chain)
    assert context.cert_store_stats()["x509_ca"] == 1
    leaf = x509.load_pem_x509_certificate(pair.chain.encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(CA.pair.chain.encode()))
    assert server.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_pair_prints_without_its_key() -> None:
    pair = CA.issue("a.localhost", NOW)
    assert "PRIVATE" not in repr(pair)
    assert "PRIVATE" not in repr(CA)


def encrypted(pair: Pair) -> str:
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    cipher = serialization.BestAvailableEncryption(b"x")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher).decode()


ONE, OTHER = CA.issue("one.localhost", NOW), CA.issue("other.localhost", NOW)


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        (Pair("", ONE.key), "certificate: must be PEM certificates, the leaf first: "),
        (Pair("nonsense", ONE.key), "certificate: must be PEM certificates, the leaf first: "),
        (Pair(ONE.chain, ""), "key: must be a PEM private key without a passphrase"),
        (Pair(ONE.chain, encrypted(ONE)), "key: must be a PEM private key without a passphrase"),
        (Pair(ONE.chain, OTHER.key), "key: must be the private key of the first certificate, got another one's"),
        (Pair(ONE.chain + OTHER.chain, ONE.key), "certificate: number 2 of the chain must have issued the one before"),
        (CA.pair, "certificate: must name a host in subjectAltName, got none"),
    ],
)
def test_broken_pair_is_told_and_its_key_is_not_shown(pair: Pair, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        describe(pair)
    assert str(caught.value).startswith(told)
    assert "PRIVATE" not in str(caught.value)


def test_chain_with_its_issuer_is_taken() -> None:
    assert describe(Pair(ONE.chain + CA.pair.chain, ONE.key)).names == ("one.localhost",)


@pytest.mark.parametrize(
    ("host", "names", "name"),
    [
        ("a.b.c", ["a.b.c", "*.b.c"], "a.b.c"),
        ("a.b.c", ["*.b.c", "*.c"], "*.b.c"),
        ("a.b.c", ["*.c", "b.c"], None),
        ("*.b.c", ["*.b.c"], "*.b.c"),
    ],
)
def test_wildcard_covers_one_level(host: str, names: list[str], name: str | None) -> None:
    assert covering(host, names) == name

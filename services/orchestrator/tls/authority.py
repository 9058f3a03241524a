"""Authority: the local CA of a stack, good for its domain alone, and the certificates that it signs."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from runyard.errors import UsageError
from services.orchestrator.model.pair import Pair

DAY_S = 86_400.0
# Trusting it is a step by hand, so it should outlive the machine; it is bound to one domain and one stack.
AUTHORITY_LIFE_S = 3650 * DAY_S
# As Let's Encrypt's: clients refuse more than 825 days, and what is renewed often is known to renew.
LEAF_LIFE_S = 90 * DAY_S
# A client's clock may be behind the host's.
BACKDATED_S = 3600.0


@dataclass(frozen=True, slots=True)
class Authority:
    """A local CA; `pair.chain` is its own certificate, which clients trust."""

    pair: Pair
    domain: str

    def issue(self, host: str, now: float) -> Pair:
        """Sign a certificate for a host of the domain; UsageError for any other."""
        if host.removeprefix("*.") != self.domain and not host.endswith(f".{self.domain}"):
            raise UsageError(f"host {host}: must be in the local CA's domain {self.domain}; give it a file instead")
        issuer = x509.load_pem_x509_certificate(self.pair.chain.encode())
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(issuer.subject, now, LEAF_LIFE_S, key.public_key())
        # The subject is left out: hosts have 253 characters, common names 64.
        builder = builder.subject_name(x509.Name([]))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        signer = serialization.load_pem_private_key(self.pair.key.encode(), password=None)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
        builder = builder.add_extension(identifier, critical=False)
        leaf = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
        return Pair(_pem(leaf), key_text(key))


def create_authority(domain: str, stack: str, now: float) -> Authority:
    """Make a CA whose certificates count for the domain and the names below it, and nowhere else (RFC 5280, 4.2.1.10).

    So whoever steals its key can pretend to be this stack, and not to be anybody else's site.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Runyard local CA of {stack} for {domain}"[:64])])
    builder = _builder(name, now, AUTHORITY_LIFE_S, key.public_key()).subject_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    everywhere = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    limits = x509.NameConstraints([x509.DNSName(domain)], [x509.IPAddress(each) for each in everywhere])
    builder = builder.add_extension(limits, critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Authority(Pair(_pem(builder.sign(key, hashes.SHA256())), key_text(key)), domain)


def key_text(key: ec.EllipticCurvePrivateKey) -> str:
    """Write a private key as PEM (PKCS 8), not encrypted: the file's mode keeps it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _builder(issuer: x509.Name, now: float, life_s: float, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(_time(now - BACKDATED_S)).not_valid_after(_time(now + life_s))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)

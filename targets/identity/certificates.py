"""Self-signed certificates for identity providers that live as long as a run."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def self_signed(
    key: RSAPrivateKey | EllipticCurvePrivateKey,
    name: str,
    *,
    addresses: tuple[str, ...] = (),
    begin: datetime | None = None,
) -> x509.Certificate:
    """Return a certificate of `key`, good from `begin` (None: yesterday) for ten years.

    `name` is its subject, at most 64 characters, and with `addresses` (IP addresses) what a server may answer to.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = begin or datetime.now(UTC) - timedelta(days=1)
    names = [x509.DNSName(name), *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )

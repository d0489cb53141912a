"""The server's certificate, of an authority of its own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def context(directory: Path) -> ssl.SSLContext:
    """What TLS is offered with; `ca.pem` in the directory is the authority that clients may trust. A driver's handshake within
    packets ends where TLS 1.3 would go on (MS-TDS 3.2.5.1): so up to 1.2."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["tds/8.0"])
    chain = directory / "server.pem"
    if not chain.exists():
        _make(directory)
    made.load_cert_chain(chain)
    return made


def _make(directory: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    authority_key = rsa.generate_private_key(65537, 2048)
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the local SQL Server")])
    server_key = rsa.generate_private_key(65537, 2048)

    def build(subject: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority_name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=365))

    authority = build(authority_name, authority_key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), server_key)
    server = server.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = serialization.Encoding.PEM
    (directory / "ca.pem").write_bytes(authority.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    private = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = directory / "server.pem"
    chain.touch(0o600)
    chain.write_bytes(private + server.sign(authority_key, hashes.SHA256()).public_bytes(pem))

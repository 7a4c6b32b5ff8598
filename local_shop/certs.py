"""A CA, certificates and a key for tokens, to try the shop out behind TLS: for one's own machine, not for production."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_shop.private_files import write_private

CA_FILE = "ca.pem"
CA_KEY_FILE = "ca.key"
TOKEN_KEY_FILE = "token.key"  # noqa: S105 - a file's name.
JWKS_FILE = "jwks.json"

SERVICES = ("catalog", "customer", "order", "postgres")
SPIFFE_ID = "spiffe://record-shop/{}"
LOOPBACK = "127.0.0.1"
CA_DAYS = 365
CERTIFICATE_DAYS = 30
# Clocks of machines differ.
EARLIER = timedelta(minutes=5)

ISSUER = "https://issuer.record-shop.example"
AUDIENCE = "record-shop"
TOKEN_KEY_ID = "try-out"  # noqa: S105 - an id, no secret.
TOKEN_MINUTES = 60

CaKey = ec.EllipticCurvePrivateKey


def make_certs(folder: Path) -> None:
    """Makes or renews all files in `folder`: the CA and the tokens' key stay if they are there, the certificates are new.

    `<service>.pem` and `<service>.key` are for the service as a server and as a client. Private keys have mode 0600.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _make_ca(folder)
    for service in SERVICES:
        issue_pair(folder, folder, service, names=(service, "localhost", LOOPBACK, SPIFFE_ID.format(service)))
    _make_token_key(folder)


def issue_pair(ca_folder: Path, folder: Path, name: str, *, names: Sequence[str]) -> None:
    """Writes `name`.pem and `name`.key: a certificate by the CA in `ca_folder` for `names`, which are DNS names, IP addresses or URIs."""
    ca = x509.load_pem_x509_certificate((ca_folder / CA_FILE).read_bytes())
    ca_key = serialization.load_pem_private_key((ca_folder / CA_KEY_FILE).read_bytes(), password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(folder / f"{name}.key", _key_pem(key))
    (folder / f"{name}.pem").write_text(_pem(_issued(ca, ca_key, key, names)), encoding="utf-8")  # type: ignore[arg-type]  # As made here.


def make_token(folder: Path, *, role: str, subject: str, minutes: float = TOKEN_MINUTES) -> str:
    """Signs a token for a caller with the key that make_certs made; a customer's subject is the customer's id."""
    key = serialization.load_pem_private_key((folder / TOKEN_KEY_FILE).read_bytes(), password=None)
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "role": role,
        "nbf": now - EARLIER,
        "exp": now + timedelta(minutes=minutes),
        "jti": str(uuid4()),
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": TOKEN_KEY_ID})  # type: ignore[arg-type]  # Ed25519, as made here.


def _make_ca(folder: Path) -> None:
    if (folder / CA_KEY_FILE).exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Record Shop try-out CA")])
    certificate = (
        _builder(subject, subject, key.public_key(), days=CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / CA_KEY_FILE, _key_pem(key))
    (folder / CA_FILE).write_text(_pem(certificate), encoding="utf-8")


def _issued(ca: x509.Certificate, ca_key: CaKey, key: CaKey, names: Sequence[str]) -> x509.Certificate:
    """Signs a certificate for a server that is a client too."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder(subject, ca.subject, key.public_key(), days=CERTIFICATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _make_token_key(folder: Path) -> None:
    file = folder / TOKEN_KEY_FILE
    if not file.exists():
        write_private(file, _key_pem(ed25519.Ed25519PrivateKey.generate()))
    key = serialization.load_pem_private_key(file.read_bytes(), password=None).public_key()
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": TOKEN_KEY_ID, "x": x}
    (folder / JWKS_FILE).write_text(json.dumps({"keys": [jwk]}, indent=2) + "\n", encoding="utf-8")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


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


def _general_name(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

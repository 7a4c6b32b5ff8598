"""Certificates from files: read once more whenever they change, while the server runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

log = structlog.get_logger(__name__)


class BadTlsFiles(ValueError):
    """The files are no certificate with its private key, or not a CA's certificate."""


@dataclass(frozen=True)
class TlsPems:
    """What the files hold: the own certificate with its chain, its private key, and the CA that others prove themselves by."""

    certificate: bytes
    key: bytes
    ca: bytes | None


class TlsFiles:
    """One user's view of the files: what they hold, and whether that is news since the user last asked.

    Files are replaced one after the other. A certificate whose key is not there yet is no news: it is looked at again.
    """

    def __init__(self, *, certificate: Path, key: Path, ca: Path | None = None) -> None:
        self._paths = [path for path in (certificate, key, ca) if path is not None]
        self._seen: Sequence[object] | None = None
        self._told = True

    def read(self) -> TlsPems:
        """Reads the files as they are; raises BadTlsFiles, which tells nothing of a key."""
        looks = self._looks()
        certificate, key, *ca = [path.read_bytes() for path in self._paths]
        _check(certificate, key)
        self._seen, self._told = looks, True
        return TlsPems(certificate, key, ca[0] if ca else None)

    def renewed(self) -> TlsPems | None:
        """Answers what the files hold if they have changed since they were last read well; None goes on with what there is."""
        try:
            return None if self._looks() == self._seen else self.read()
        except (OSError, ValueError) as error:
            if self._told:
                log.warning("the TLS files cannot be used, those read before are", error=type(error).__name__)
            self._told = False
            return None

    def _looks(self) -> list[object]:
        """What changes with a file, also where a link to it is replaced."""
        stats = [path.stat() for path in self._paths]
        return [(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats]


def server_credentials(files: TlsFiles, *, wants_certificates: bool) -> grpc.ServerCredentials:
    """TLS 1.2 or later with the certificate as it is at each handshake; callers prove themselves by certificates of the CA, if wanted.

    Raises BadTlsFiles or OSError if the files are not good now. Later ones that are not are passed over.
    """

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        pems = files.renewed()
        return None if pems is None else _configuration(pems)

    # gRPC asks before each handshake, in a thread of its own; connections that stand are not touched.
    return grpc.dynamic_ssl_server_credentials(
        _configuration(files.read()),
        fetch,  # type: ignore[arg-type]  # None, as gRPC documents, goes on with what there is.
        require_client_authentication=wants_certificates,
    )


def channel_credentials(pems: TlsPems) -> grpc.ChannelCredentials:
    """Trusts servers that the CA has signed, and proves this process by its own certificate."""
    return grpc.ssl_channel_credentials(
        root_certificates=pems.ca, private_key=pems.key, certificate_chain=pems.certificate
    )


def _configuration(pems: TlsPems) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], root_certificates=pems.ca)


def _check(certificate: bytes, key: bytes) -> None:
    # Only who has TLS pays for the import.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        public = x509.load_pem_x509_certificates(certificate)[0].public_key()
        fits = public == load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError) as error:
        raise BadTlsFiles("not PEM, or the key has a password") from error
    if not fits:
        raise BadTlsFiles("the key is not the certificate's")

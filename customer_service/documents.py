"""Documents at rest: encrypted, each for its customer alone, and found by a keyed hash. Only who has the key can do either."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from customer_service.errors import DocumentsNotReady

KEY_SIZE_BYTES = 32
KEY_ID_SIZE_BYTES = 4
NONCE_SIZE_BYTES = 12
KEYS_MAX = 8
FILE_SIZE_MAX_BYTES = 4_096
# What documents are encrypted with where nobody gave a key: it keeps nothing secret, and needs nothing to begin with.
KEY_FOR_TRYING_OUT = hashlib.sha256(b"record shop: a key that everybody knows").digest()


class DocumentKeyMissing(Exception):
    """A document is sealed with a key that DOCUMENT_KEY_FILE does not have."""


class DocumentKey:
    """One secret, and what follows from it: a key for each purpose (HKDF, RFC 5869), and the name that stands before all it has made."""

    def __init__(self, secret: bytes) -> None:
        self.id = _derived(secret, b"record-shop document key id")[:KEY_ID_SIZE_BYTES]
        self._hash_key = _derived(secret, b"record-shop document hash")
        self._fingerprint_key = _derived(secret, b"record-shop created fingerprint")
        self._cipher = AESGCM(_derived(secret, b"record-shop document encryption"))

    def hash(self, document: str) -> bytes:
        """The key's id and an HMAC-SHA256: equal for equal documents, and nothing that can be guessed without the key."""
        return self.id + hmac.digest(self._hash_key, document.encode(), hashlib.sha256)

    def fingerprint(self, content: bytes) -> bytes:
        """HMAC-SHA256 over a fingerprint that has no key, of which a document could be guessed."""
        return hmac.digest(self._fingerprint_key, content, hashlib.sha256)

    def seal(self, customer_id: UUID, document: str) -> bytes:
        """The key's id, a nonce, and the document by AES-256-GCM, which opens for this customer alone."""
        nonce = os.urandom(NONCE_SIZE_BYTES)
        return self.id + nonce + self._cipher.encrypt(nonce, document.encode(), customer_id.bytes)

    def open(self, customer_id: UUID, sealed: bytes) -> str:
        """Answers the document; raises cryptography's InvalidTag if it was sealed for another customer, or is not as it was made."""
        nonce, content = sealed[KEY_ID_SIZE_BYTES:][:NONCE_SIZE_BYTES], sealed[KEY_ID_SIZE_BYTES + NONCE_SIZE_BYTES :]
        return self._cipher.decrypt(nonce, content, customer_id.bytes).decode()


class Documents:
    """Seals and finds with the first key, and opens with all of them.

    Until all there is was sealed with the first key (`is_ready`), a hash would miss some documents: nothing is found or made unique then.
    """

    def __init__(self, secrets: Sequence[bytes], *, is_ready: bool = False) -> None:
        self._keys = [DocumentKey(secret) for secret in secrets]
        self._by_id = {key.id: key for key in self._keys}
        self.is_ready = is_ready

    @property
    def key_id(self) -> bytes:
        """What stands before all that is sealed now."""
        return self._keys[0].id

    def require_ready(self) -> None:
        """Raises DocumentsNotReady before `is_ready`."""
        if not self.is_ready:
            raise DocumentsNotReady

    def hash(self, document: str) -> bytes:
        """By which a document is found; raises DocumentsNotReady."""
        self.require_ready()
        return self._keys[0].hash(document)

    def seal(self, customer_id: UUID, document: str) -> bytes:
        """What is kept of a document."""
        return self._keys[0].seal(customer_id, document)

    def open(self, customer_id: UUID, sealed: bytes) -> str:
        """The document; raises DocumentKeyMissing if none of the keys has sealed it."""
        key = self._by_id.get(sealed[:KEY_ID_SIZE_BYTES])
        if key is None:
            raise DocumentKeyMissing
        return key.open(customer_id, sealed)

    def resealed(self, customer_id: UUID, document: str, fingerprint: bytes) -> tuple[bytes, bytes, bytes]:
        """Hash, sealed document and fingerprint by the first key, of a fingerprint that has no key or another one."""
        key = self._keys[0]
        return key.hash(document), key.seal(customer_id, document), key.fingerprint(fingerprint)

    def fingerprints(self, content: bytes) -> list[bytes]:
        """What may be kept of a fingerprint: of a new customer the first; the others of who was created under an earlier key."""
        first = self._keys[0]
        return [first.fingerprint(content), *(first.fingerprint(key.fingerprint(content)) for key in self._keys[1:])]


def read_keys(path: Path | None) -> list[bytes]:
    """Reads a file with a key on each line, 32 bytes as base64, the one to seal with first; raises OSError or ValueError, which shows none.

    The key for trying out stands behind them: what was sealed without a file is opened, and sealed anew.
    """
    if path is None:
        return [KEY_FOR_TRYING_OUT]
    with path.open("rb") as file:
        lines = file.read(FILE_SIZE_MAX_BYTES).split()
    if not 1 <= len(lines) <= KEYS_MAX:
        raise ValueError(f"must have 1 to {KEYS_MAX} lines, each with a key")
    return [*map(_key, lines), KEY_FOR_TRYING_OUT]


def _key(line: bytes) -> bytes:
    try:
        key = base64.b64decode(line, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_SIZE_BYTES:
        # Not the reason as it was raised: its frames know the line.
        raise ValueError(f"must have {KEY_SIZE_BYTES} bytes as base64 on each line")
    return key


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=KEY_SIZE_BYTES, salt=None, info=purpose).derive(secret)

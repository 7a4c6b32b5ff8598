"""Signed tokens: JWTs (RFC 7519) by a pinned issuer, for a pinned audience, with a pinned key of a pinned algorithm."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import jwt
import structlog

from service_runtime.access_errors import TokenExpired, TokenInvalid
from service_runtime.roles import CUSTOMER, ROLES
from service_runtime.uuids import uuid_from_text

# Only what is signed by a private key. A secret that both sides have would let every service make tokens.
ALGORITHMS_BY_KEY: Mapping[tuple[str, str | None], tuple[str, ...]] = {
    ("OKP", "Ed25519"): ("EdDSA",),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("RSA", None): ("RS256", "RS384", "RS512"),
}
CLAIMS = ("iss", "aud", "exp", "nbf", "sub", "role")
RSA_KEY_BITS_MIN = 2_048
# Longer ones are not looked at; metadata are not larger than this anyway.
TOKEN_SIZE_MAX = 8 * 1024
# By so much may the issuer's clock differ from this one.
CLOCK_SKEW_S = 5.0
# How often the file of the keys is looked at, while tokens are verified.
LOOK_EVERY_S = 1.0
KEYS_MAX = 100
# As OpenID Connect bounds it: a name of a caller is kept for as long as their share is counted.
SUBJECT_LENGTH_MAX = 255

log = structlog.get_logger(__name__)


class Claims(NamedTuple):
    """What a token says of its bearer, and until when; customer_id is a customer's alone."""

    role: str
    subject: str
    customer_id: UUID | None
    expires_s: float


class PinnedKey(NamedTuple):
    """A public key, and the algorithms that it is used with."""

    key: Any
    algorithms: tuple[str, ...]


class Tokens:
    """Verifies tokens, each once: what it found is remembered until the token expires, or the keys change."""

    def __init__(self, *, issuer: str, audience: str, keys_file: Path, key_id: str, remembered_max: int) -> None:
        self._issuer = issuer
        self._audience = audience
        self._file = keys_file
        self._key_id = key_id
        self._remembered_max = remembered_max
        self._verified: dict[str, Claims] = {}
        self._look_at_s = 0.0
        self._seen: object = None
        self._keys: Mapping[str, PinnedKey] = {}
        self._read_keys()

    def verified(self, token: str) -> Claims:
        """Answers what a good token says; raises TokenExpired or TokenInvalid."""
        self._look_for_new_keys()
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify(token)
            if len(self._verified) >= self._remembered_max:
                self._make_room()
            self._verified[token] = claims
        elif claims.expires_s <= time.time():
            del self._verified[token]
            raise TokenExpired
        return claims

    def _verify(self, token: str) -> Claims:
        if len(token) > TOKEN_SIZE_MAX:
            raise TokenInvalid
        try:
            pinned = self._keys.get(str(jwt.get_unverified_header(token).get("kid")))
            if pinned is None:
                raise TokenInvalid
            claims = jwt.decode(
                token,
                pinned.key,
                algorithms=pinned.algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=CLOCK_SKEW_S,
                options={"require": list(CLAIMS)},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            # What is wrong with it is nobody's business who did not sign it.
            raise TokenInvalid from None
        return _claims(claims)

    def _make_room(self) -> None:
        """Forgets tokens that have expired or, if none has, the one that was verified first."""
        now_s = time.time()
        for token in [token for token, claims in self._verified.items() if claims.expires_s <= now_s]:
            del self._verified[token]
        if len(self._verified) >= self._remembered_max:
            del self._verified[next(iter(self._verified))]

    def _look_for_new_keys(self) -> None:
        now_s = time.monotonic()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_EVERY_S
        try:
            if self._looks() != self._seen:
                self._read_keys()
                log.info("the keys of tokens were replaced", keys=len(self._keys))
        except (OSError, ValueError) as error:
            log.warning("the keys of tokens cannot be read, those read before are used", error=type(error).__name__)

    def _looks(self) -> object:
        stat = self._file.stat()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _read_keys(self) -> None:
        """Reads the keys anew; what an old one has signed is worth nothing any more if it is not among them."""
        seen = self._looks()
        self._keys = read_keys(self._file.read_bytes(), pem_key_id=self._key_id)
        self._seen = seen
        self._verified.clear()


class BadKeys(ValueError):
    """The file has no public keys, as JWKS or as PEM, of a kind that is taken here."""


def read_keys(content: bytes, *, pem_key_id: str) -> dict[str, PinnedKey]:
    """Reads a JWKS file (RFC 7517), or one key as PEM, which has the id that is given; raises BadKeys."""
    try:
        if content.lstrip().startswith(b"-----BEGIN PUBLIC KEY-----"):
            from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

            return {pem_key_id: _pinned(load_pem_public_key(content), None)}
        listed = json.loads(content)["keys"]
        if not 1 <= len(listed) <= KEYS_MAX:
            raise BadKeys(f"1 to {KEYS_MAX} keys are taken")
        # No secret is taken for a key: whoever can read this file could sign with it.
        return {jwk["kid"]: _pinned(jwt.PyJWK(jwk, algorithm=_any_of(jwk)).key, jwk.get("alg")) for jwk in listed}
    except (KeyError, TypeError, UnicodeDecodeError, jwt.PyJWTError, ValueError) as error:
        raise BadKeys("neither JWKS nor a public key as PEM") from error


def _any_of(jwk: Mapping[str, Any]) -> str:
    """An algorithm by which PyJWT reads the key; which ones the key is used with is decided by _pinned."""
    kind = jwk["kty"], jwk.get("crv")
    return ALGORITHMS_BY_KEY[kind][0]


def _pinned(key: Any, algorithm: str | None) -> PinnedKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    curves = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
    match key:
        case Ed25519PublicKey():
            kind: tuple[str, str | None] = ("OKP", "Ed25519")
        case EllipticCurvePublicKey():
            kind = ("EC", curves.get(key.curve.name))
        case RSAPublicKey() if key.key_size >= RSA_KEY_BITS_MIN:
            kind = ("RSA", None)
        case _:
            raise BadKeys("a private, secret, short or unknown key")
    algorithms = ALGORITHMS_BY_KEY[kind]
    if algorithm is not None and algorithm not in algorithms:
        raise BadKeys("the key is not of its algorithm's kind")
    return PinnedKey(key, algorithms if algorithm is None else (algorithm,))


def _claims(claims: Mapping[str, Any]) -> Claims:
    role, subject = claims["role"], claims["sub"]
    if not isinstance(role, str) or role not in ROLES or len(subject) > SUBJECT_LENGTH_MAX:
        raise TokenInvalid
    customer_id = uuid_from_text(subject) if role == CUSTOMER else None
    if role == CUSTOMER and customer_id is None:
        raise TokenInvalid
    return Claims(role, subject, customer_id, float(claims["exp"]))

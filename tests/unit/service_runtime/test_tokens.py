"""Tokens are verified once, remembered for as long as they hold, and by pinned keys alone."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service_runtime import tokens
from service_runtime.access_errors import TokenExpired, TokenInvalid
from service_runtime.tokens import BadKeys, Tokens, read_keys

KEY = ed25519.Ed25519PrivateKey.generate()
PRIVATE_KEYS: dict[str, Callable[[], Any]] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
}


def pem(key: Any) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form)  # type: ignore[no-any-return]


def jwk(key: Any, **more: str) -> dict[str, Any]:
    kinds = {"RSA": jwt.algorithms.RSAAlgorithm, "EC": jwt.algorithms.ECAlgorithm, "Ed": jwt.algorithms.OKPAlgorithm}
    kind = next(
        kind
        for name, kind in kinds.items()
        if name in type(key).__name__ or ("Elliptic" in type(key).__name__ and name == "EC")
    )
    return {**kind.to_jwk(key.public_key(), as_dict=True), **more}


def token(key: Any = KEY, algorithm: str = "EdDSA", kid: str = "k", **changes: Any) -> str:
    now = time.time()
    claims = {"iss": "i", "aud": "a", "sub": str(uuid4()), "role": "clerk", "nbf": now - 60, "exp": now + 60, **changes}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


def verifier(path: Path, content: bytes, *, remembered_max: int = 100) -> Tokens:
    path.write_bytes(content)
    return Tokens(issuer="i", audience="a", keys_file=path, key_id="k", remembered_max=remembered_max)


@pytest.mark.parametrize("algorithm", PRIVATE_KEYS)
@pytest.mark.parametrize("form", ["pem", "jwks", "jwks with alg"])
def test_keys_are_taken_as_pem_and_as_jwks(tmp_path: Path, algorithm: str, form: str) -> None:
    key = PRIVATE_KEYS[algorithm]()
    more = {"kid": "k"} | ({"alg": algorithm} if form == "jwks with alg" else {})
    content = pem(key) if form == "pem" else json.dumps({"keys": [jwk(key, **more)]}).encode()
    assert verifier(tmp_path / "keys", content).verified(token(key, algorithm)).role == "clerk"


def test_an_algorithm_that_the_key_is_not_pinned_to_is_refused(tmp_path: Path) -> None:
    key = PRIVATE_KEYS["RS256"]()
    content = json.dumps({"keys": [jwk(key, kid="k", alg="RS256")]}).encode()
    with pytest.raises(TokenInvalid):
        verifier(tmp_path / "keys", content).verified(token(key, "RS512"))
    with pytest.raises(TokenInvalid):
        verifier(tmp_path / "keys", content).verified(token(key, "PS256"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"keys": []}',
        b"-----BEGIN PUBLIC KEY-----\nno\n-----END PUBLIC KEY-----\n",
        json.dumps({"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}]}).encode(),
        json.dumps({"keys": [jwk(KEY)]}).encode(),
        json.dumps({"keys": [jwk(KEY, kid="k", alg="HS256")]}).encode(),
        json.dumps({"keys": [jwk(KEY, kid="k", alg="ES256")]}).encode(),
        pem(rsa.generate_private_key(65_537, 1_024)),
        KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    ],
)
def test_other_keys_are_refused(content: bytes) -> None:
    with pytest.raises(BadKeys):
        read_keys(content, pem_key_id="k")


def test_a_token_is_verified_once_and_not_taken_when_it_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = verifier(tmp_path / "keys", pem(KEY))
    good = token()
    first = known.verified(good)
    monkeypatch.setattr(tokens.jwt, "decode", None)
    assert known.verified(good) is first
    later_s = first.expires_s
    monkeypatch.setattr(tokens.time, "time", lambda: later_s)
    with pytest.raises(TokenExpired):
        known.verified(good)


def test_no_more_tokens_are_remembered_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = verifier(tmp_path / "keys", pem(KEY), remembered_max=3)
    some = [token() for _ in range(10)]
    for one in some:
        known.verified(one)
        assert len(known._verified) <= 3
    assert list(known._verified) == some[-3:]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "j"},
        {"iss": "I"},
        {"aud": "b"},
        {"nbf": time.time() + 3_600},
        {"nbf": "soon"},
        {"exp": 1e400},
        {"exp": "late"},
        {"sub": "x" * 256},
        {"sub": 7},
        {"role": ["admin"]},
        {"role": "customer", "sub": "ada"},
    ],
)
def test_claims_that_are_not_as_they_must_be_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    known = verifier(tmp_path / "keys", pem(KEY))
    assert known.verified(token()).role == "clerk"
    with pytest.raises(TokenInvalid):
        known.verified(token(**changes))


def test_a_key_is_good_for_its_own_id_alone(tmp_path: Path) -> None:
    ours, theirs = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    content = json.dumps({"keys": [jwk(ours, kid="ours"), jwk(theirs, kid="theirs")]}).encode()
    known = verifier(tmp_path / "keys", content)
    assert known.verified(token(ours, kid="ours"))
    assert known.verified(token(theirs, kid="theirs"))
    for key, kid in ((ours, "theirs"), (theirs, "ours"), (ours, "another"), (ours, "")):
        with pytest.raises(TokenInvalid):
            known.verified(token(key, kid=kid))


def test_what_is_refused_is_not_remembered(tmp_path: Path) -> None:
    known = verifier(tmp_path / "keys", pem(KEY))
    for bad in ("x", token(kid="other"), token(aud="b"), token(iss="j"), token(nbf=time.time() + 60)):
        with pytest.raises(TokenInvalid):
            known.verified(bad)
    assert not known._verified

"""Opaque page tokens (AIP-158): where a keyset walk goes on, bound to the filters it was begun with."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from service_runtime.validation import PAGE_TOKEN_LENGTH_MAX, Fields


def encode(filters: object, last_key: Sequence[str]) -> str:
    """Makes the token of the page that follows last_key. Filters are told apart by their repr."""
    content = json.dumps([_digest(filters), *last_key], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode(fields: Fields, token: str, filters: object, *, key_length: int) -> list[str] | None:
    """Reads a token back: the last key of the page before, or None for the first page. A foreign token is a bad `page_token`."""
    if not token:
        return None
    key = _content(token) if len(token) <= PAGE_TOKEN_LENGTH_MAX else []
    if len(key) != key_length + 1 or key[0] != _digest(filters):
        fields.bad("page_token", "was not made by a call with the same filters")
        return None
    return key[1:]


def _digest(filters: object) -> str:
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:16]


def _content(token: str) -> list[str]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return []
    is_key = isinstance(content, list) and all(isinstance(part, str) for part in content)
    return content if is_key else []

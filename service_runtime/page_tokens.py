"""Opaque page tokens (AIP-158): where a keyset walk goes on, bound to the filters it was begun with."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from service_runtime.validation import PAGE_TOKEN_LENGTH_MAX, Fields


def encode(filters: object, last_key: Sequence[object]) -> str:
    """Makes the token of the page that follows last_key. Filters are told apart by their repr, keys are kept as their str."""
    content = json.dumps([_digest(filters), *map(str, last_key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode(fields: Fields, token: str, filters: object, key: Sequence[Callable[[str], Any]]) -> list[Any] | None:
    """Reads a token back: the last key of the page before, or None for the first page.

    `key` reads each part of the key from its text (`(datetime.fromisoformat, UUID)`) and raises ValueError for what it cannot read. A
    token that was not made with these filters, or not made here at all, is a bad `page_token`.
    """
    if not token:
        return None
    try:
        digest, *parts = _content(token)
        if digest != _digest(filters):
            raise ValueError("other filters")  # noqa: TRY301 - the same outcome as a token that cannot be read.
        return [read(part) for read, part in zip(key, parts, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        fields.bad("page_token", "was not made by a call with the same filters")
        return None


def _digest(filters: object) -> str:
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:16]


def _content(token: str) -> list[str]:
    if len(token) > PAGE_TOKEN_LENGTH_MAX:
        raise ValueError("too long")
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if not isinstance(content, list) or not all(isinstance(part, str) and "\0" not in part for part in content):
        raise ValueError("not a key")
    # JSON can spell half a character, which PostgreSQL could not be asked for.
    "".join(content).encode()
    return content

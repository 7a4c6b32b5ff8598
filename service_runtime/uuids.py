"""Ids as values, made quickly.

asyncpg brings a subclass of uuid.UUID that is written in C: it equals the other one, and is made, hashed and printed in a tenth of its
time. An order handles a dozen of them.
"""

from uuid import UUID

from asyncpg.pgproto import pgproto

NO_UUID: UUID = pgproto.UUID(bytes(16))


def uuid_from_text(text: str) -> UUID | None:
    """Answers the UUID of 36 characters in canonical form; None for any other text, and for the nil UUID, which names nothing."""
    try:
        parsed: UUID = pgproto.UUID(text)
    except ValueError:
        return None
    # Hyphens may stand anywhere, or be missing, for the parser; there is one canonical form.
    if str(parsed) != text and str(parsed) != text.lower():
        return None
    return None if parsed == NO_UUID else parsed


def uuid_from_trusted(text: str) -> UUID:
    """Answers the UUID of a text that a neighbour has made."""
    parsed: UUID = pgproto.UUID(text)
    return parsed


def uuid_from_bytes(sixteen: bytes) -> UUID:
    """Answers the UUID of 16 bytes."""
    parsed: UUID = pgproto.UUID(sixteen)
    return parsed

"""The words of the catalog. Whoever holds one of these holds values that were checked."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Disc:
    """A disc as it is now. Its version counts edits; delete_time is None while it is on sale."""

    id: UUID
    name: str
    artist: str
    year_of_release: int
    genre: str
    price_cents: int
    stock: int
    version: int
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None

    @property
    def etag(self) -> str:
        """What an editor sends back who wants to overwrite nobody."""
        return str(self.version)


@dataclass(frozen=True, kw_only=True)
class DiscDraft:
    """A disc to be added."""

    id: UUID
    name: str
    artist: str
    year_of_release: int
    genre: str
    price_cents: int
    opening_stock: int

    @property
    def fingerprint(self) -> bytes:
        """Tells equal content from other content.

        SHA-256 over a JSON array, written as PostgreSQL's json_build_array writes it, so that the seeds can make it too.
        """
        content = [self.name, self.artist, self.year_of_release, self.genre, self.price_cents, self.opening_stock]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).digest()


@dataclass(frozen=True, kw_only=True)
class DiscEdit:
    """New values for some fields of a disc; None leaves a field as it is. An empty etag overwrites whatever is there."""

    id: UUID
    etag: str
    name: str | None
    artist: str | None
    year_of_release: int | None
    genre: str | None
    price_cents: int | None


class TextMatch(StrEnum):
    """How a text is compared; case never counts."""

    EXACT = "EXACT"
    PREFIX = "PREFIX"
    PART = "PART"


@dataclass(frozen=True, kw_only=True)
class TextFilter:
    """A text to look for; every character of it stands for itself."""

    match: TextMatch
    text: str


@dataclass(frozen=True, kw_only=True)
class DiscFilter:
    """Which discs to list; None matches all."""

    name: TextFilter | None
    artist: TextFilter | None
    genre: TextFilter | None
    year_from: int | None
    year_to: int | None
    in_stock: bool | None
    show_deleted: bool


@dataclass(frozen=True, kw_only=True)
class DiscQuery:
    """A page of discs in the order of their ids, beginning with first_id or the next one there is."""

    filter: DiscFilter
    first_id: UUID
    size: int


@dataclass(frozen=True, kw_only=True)
class DiscPage:
    """Discs, and the id that the next page begins with; None if this is the last one."""

    discs: Sequence[Disc]
    next_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class PageSizes:
    """How many discs a page has when the caller does not say, and at most."""

    default: int
    largest: int

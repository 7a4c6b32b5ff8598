"""The words of the customer service. Whoever holds one of these holds values that were checked."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID


class Customer(NamedTuple):
    """A person who may buy; of one who was anonymized, texts are empty, and there is no birth date."""

    id: UUID
    document: str
    name: str
    birth_date: date | None
    email: str
    phone: str
    active: bool
    version: int
    create_time: datetime
    update_time: datetime
    anonymize_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class CustomerDraft:
    """A customer to be added."""

    id: UUID
    document: str
    name: str
    birth_date: date
    email: str
    phone: str

    @property
    def fingerprint(self) -> bytes:
        """Tells this content from another under the same id.

        SHA-256 over the JSON array of all fields but the id, written as PostgreSQL's json_build_array writes it, so that seeds can too.
        """
        content = [self.document, self.name, self.birth_date.isoformat(), self.email, self.phone]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).digest()


@dataclass(frozen=True, kw_only=True)
class CustomerEdit:
    """New values for some fields of a customer; None leaves a field as it is. An empty etag overwrites whatever is there."""

    id: UUID
    etag: str
    document: str | None
    name: str | None
    birth_date: date | None
    email: str | None
    phone: str | None
    active: bool | None


@dataclass(frozen=True, kw_only=True)
class CustomerFilter:
    """Which customers to list; None matches all."""

    document: str | None
    email: str | None
    active: bool | None


@dataclass(frozen=True, kw_only=True)
class CustomerQuery:
    """A page of customers in the order of their ids, beginning with first_id or the next one there is."""

    filter: CustomerFilter
    first_id: UUID
    size: int


@dataclass(frozen=True, kw_only=True)
class CustomerPage:
    """Customers, and the id that the next page begins with; None if this is the last one."""

    customers: Sequence[Customer]
    next_id: UUID | None


class SyncToken(NamedTuple):
    """A moment of the database: which database it was, and the oldest transaction that was still open in it."""

    database: str
    oldest_xid: int


NOTHING_KEPT = SyncToken("", 0)


class Edits(NamedTuple):
    """Who was edited since an earlier moment, as of `now`; nobody knows if `is_lost`."""

    customers: Sequence[Customer]
    now: SyncToken
    is_lost: bool


@dataclass(frozen=True, kw_only=True)
class CustomerBatch:
    """Customers to read; `since` asks who was edited since then, unless it is None."""

    ids: Sequence[UUID]
    skip_missing: bool
    since: SyncToken | None


class BatchAnswer(NamedTuple):
    """Customers in the order of the ids; edits is None if nobody asked."""

    customers: Sequence[Customer]
    edits: Edits | None


@dataclass(frozen=True, kw_only=True)
class PageSizes:
    """How many customers a page has: when the caller does not say, and at most."""

    default: int
    largest: int

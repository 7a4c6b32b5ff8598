"""The table of customers."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from customer_service.documents import Documents
from customer_service.errors import BornAfterToday, CustomerAnonymized, CustomerExists, CustomerNotFound, DocumentTaken
from customer_service.model import Customer, CustomerDraft, CustomerEdit, CustomerPage, CustomerQuery
from service_runtime.database import Connection, Database
from service_runtime.errors import EtagMismatch, missing_ids

BIRTH_DATE_CONSTRAINT = "customers_birth_date"
COLUMNS = """
    id, document, sealed_document, name, birth_date, email, phone, active, version, create_time, update_time, anonymize_time
"""

# A repeated create writes its customer as it is, so that its answer waits for a synchronous standby like the first one's did.
CREATE = (
    """
INSERT INTO customers (id, document_hash, sealed_document, name, birth_date, email, phone, created_fingerprint)
VALUES ($1, $2, $3, $4, $5, $6, $7, ($8::bytea[])[1])
ON CONFLICT (id) DO UPDATE SET version = customers.version
    WHERE customers.created_fingerprint = ANY ($8)
RETURNING """
    + COLUMNS
)

# One statement decides about an edit: it waits for whoever is editing the row, and then judges what that one left. An edit that finds
# its values there already is a repeated one: whatever its etag, it writes the row as it is, for the same reason as a repeated create.
EDIT_CHANGES = """(
    (document_hash, name, birth_date, email, phone, active) IS DISTINCT FROM (
        coalesce($3, document_hash), coalesce($4, name), coalesce($5, birth_date),
        coalesce($6, email), coalesce($7, phone), coalesce($8, active)
    )
)"""
EDIT = f"""
UPDATE customers SET
    document_hash = coalesce($3, document_hash),
    sealed_document = CASE WHEN $3 <> coalesce(document_hash, '') THEN $10 ELSE sealed_document END,
    name = coalesce($4, name),
    birth_date = coalesce($5, birth_date),
    email = coalesce($6, email),
    phone = coalesce($7, phone),
    active = coalesce($8, active),
    version = version + {EDIT_CHANGES}::int,
    update_time = CASE WHEN {EDIT_CHANGES} THEN greatest(update_time, now()) ELSE update_time END
WHERE id = $1 AND id = coalesce($9, id) AND anonymize_time IS NULL AND ($2 = '' OR version::text = $2 OR NOT {EDIT_CHANGES})
RETURNING {COLUMNS}
"""  # noqa: S608 - put together from constants.

SELECT_CUSTOMERS = f"SELECT {COLUMNS} FROM customers "  # noqa: S608 - put together from constants.
# For a customer, $2 is the customer: others are not there.
GET = SELECT_CUSTOMERS + "WHERE id = $1 AND id = coalesce($2, id)"
GET_ALL = SELECT_CUSTOMERS + "WHERE id = ANY ($1::uuid[])"

# One statement for each index that a page can be read from in the order of ids, the most selective filter first.
LIST_BY_DOCUMENT = (
    SELECT_CUSTOMERS
    + """
WHERE document_hash = $5
    AND ($4::text IS NULL OR lower(email) = lower($4))
    AND ($3::boolean IS NULL OR active = $3)
    AND id >= $1
ORDER BY id LIMIT $2
"""
)
LIST_BY_EMAIL = (
    SELECT_CUSTOMERS
    + """
WHERE lower(email) = lower($4)
    AND ($3::boolean IS NULL OR active = $3)
    AND id >= $1
ORDER BY id LIMIT $2
"""
)
LIST_BY_ACTIVE = SELECT_CUSTOMERS + "WHERE active = $3 AND id >= $1 ORDER BY id LIMIT $2"
LIST_ALL = SELECT_CUSTOMERS + "WHERE id >= $1 ORDER BY id LIMIT $2"


class CustomerRepository:
    """Keeps customers."""

    def __init__(self, *, database: Database, documents: Documents) -> None:
        self._database = database
        self._documents = documents

    async def create(self, draft: CustomerDraft) -> Customer:
        """Adds a customer, or answers the one that was created with equal content; raises CustomerExists or DocumentTaken."""
        try:
            row = await self._insert(draft)
        except DocumentTaken:
            # Perhaps by this very customer, whom an equal call added at the same moment: now the row is found by its id.
            row = await self._insert(draft)
        if row is None:
            raise CustomerExists({"customer_id": str(draft.id)})
        return self.customer(row)

    async def _insert(self, draft: CustomerDraft) -> asyncpg.Record | None:
        document = (self._documents.hash(draft.document), self._documents.seal(draft.id, draft.document))
        content = (draft.name, draft.birth_date, draft.email, draft.phone)
        fingerprints = self._documents.fingerprints(draft.fingerprint)
        return await self._write(CREATE, draft.id, *document, *content, fingerprints)

    async def get(self, customer_id: UUID, owner: UUID | None) -> Customer:
        """Reads a customer, the owner alone if one is named; raises CustomerNotFound."""
        row = await self._database.fetchrow(GET, customer_id, owner)
        if row is None:
            raise CustomerNotFound({"customer_id": str(customer_id)})
        return self.customer(row)

    async def get_all(self, customer_ids: Sequence[UUID], *, skip_missing: bool) -> list[Customer]:
        """Reads customers in the order of customer_ids; raises CustomerNotFound for missing ones, or leaves them out."""
        rows = await self._database.fetch(GET_ALL, customer_ids)
        customers = {row["id"]: self.customer(row) for row in rows}
        missing = [customer_id for customer_id in dict.fromkeys(customer_ids) if customer_id not in customers]
        if missing and not skip_missing:
            raise CustomerNotFound(missing_ids("customer_id", missing))
        return [customers[customer_id] for customer_id in customer_ids if customer_id in customers]

    async def edit(self, edit: CustomerEdit, owner: UUID | None) -> Customer:
        """Changes a customer, the owner alone if one is named, unless it holds the values already.

        Raises CustomerNotFound, CustomerAnonymized, EtagMismatch or DocumentTaken.
        """
        document_hash = sealed = None
        if edit.document is not None:
            document_hash, sealed = self._documents.hash(edit.document), self._documents.seal(edit.id, edit.document)
        values = (document_hash, edit.name, edit.birth_date, edit.email, edit.phone, edit.active)
        row = await self._write(EDIT, edit.id, edit.etag, *values, owner, sealed)
        if row is None:
            # Nobody is ever deleted: whoever is there now was there a moment ago, with another etag.
            customer = await self.get(edit.id, owner)
            raise (EtagMismatch if customer.anonymize_time is None else CustomerAnonymized)(
                {"customer_id": str(edit.id)}
            )
        return self.customer(row)

    async def search(self, query: CustomerQuery) -> CustomerPage:
        """Reads a page of customers in the order of their ids."""
        document = query.filter.document
        document_hash = None if document is None else self._documents.hash(document)
        statement, arguments = _list_statement(query, document_hash)
        rows = await self._database.fetch(statement, *arguments)
        customers = [self.customer(row) for row in rows]
        next_id = customers[query.size].id if len(customers) > query.size else None
        return CustomerPage(customers=customers[: query.size], next_id=next_id)

    def customer(self, row: Iterable[Any]) -> Customer:
        """Reads a customer from COLUMNS, and opens the document; one that came past the service may not be sealed yet."""
        customer_id, document, sealed, *others = row
        if sealed is not None:
            document = self._documents.open(customer_id, sealed)
        return Customer(customer_id, document or "", *others)

    async def _write(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """Runs a statement that writes one row; two that exchange their documents may deadlock, and one of them is run again."""

        async def write(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(sql, *arguments)

        try:
            return await self._database.run(write)
        except asyncpg.UniqueViolationError as error:
            raise DocumentTaken from error
        except asyncpg.CheckViolationError as error:
            if error.constraint_name == BIRTH_DATE_CONSTRAINT:
                raise BornAfterToday from error
            raise


def _list_statement(query: CustomerQuery, document_hash: bytes | None) -> tuple[str, tuple[object, ...]]:
    """Answers the statement that reads a page, and one customer more if there is a next one, with its arguments."""
    wanted = query.filter
    arguments = (query.first_id, query.size + 1, wanted.active, wanted.email, document_hash)
    if document_hash is not None:
        return LIST_BY_DOCUMENT, arguments
    if wanted.email is not None:
        return LIST_BY_EMAIL, arguments[:4]
    if wanted.active is not None:
        return LIST_BY_ACTIVE, arguments[:3]
    return LIST_ALL, arguments[:2]

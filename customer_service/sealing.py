"""Seals documents that came past the service: those of seeds and of earlier versions, and those sealed with an earlier key."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import structlog

from customer_service.documents import Documents
from service_runtime.background import beside
from service_runtime.database import Connection, Database
from service_runtime.errors import ServiceError

BATCH_SIZE = 500
FIRST_BATCHES = 4
RETRY_S = 1.0
# Behind every hash that begins with a key's id.
LAST_HASH = b"\xff" * 33

# Those that wait, and those whose hash does not begin with the id of the key of now: before it, and behind it.
UNSEALED = """
(SELECT id, document, document_hash, sealed_document, created_fingerprint FROM customers
WHERE document IS NOT NULL ORDER BY document LIMIT $1)
UNION ALL
(SELECT id, document, document_hash, sealed_document, created_fingerprint FROM customers
WHERE document_hash < $2 ORDER BY document_hash LIMIT $1)
UNION ALL
(SELECT id, document, document_hash, sealed_document, created_fingerprint FROM customers
WHERE document_hash > $3 ORDER BY document_hash LIMIT $1)
"""

SEAL = "SELECT seal_documents($1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[])"

log = structlog.get_logger(__name__)


class DocumentSealing:
    """Seals batch after batch until nothing is left, and looks again every interval_s seconds. Several processes may do so together."""

    def __init__(self, *, database: Database, documents: Documents, interval_s: float) -> None:
        self._database = database
        self._documents = documents
        self._interval_s = interval_s

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Seals a few batches, so that a start is hardly noticed, then owns the task that goes on to the end of the block."""
        for _ in range(FIRST_BATCHES):
            if await self._try_batch() is not True:
                break
        async with beside(self._run()):
            yield

    async def _run(self) -> None:
        while True:
            if not await self._try_batch():
                # A database that is away is tried again soon, until everything was sealed once.
                await asyncio.sleep(self._interval_s if self._documents.is_ready else min(RETRY_S, self._interval_s))

    async def _try_batch(self) -> bool:
        """Whether something was sealed, so that there may be more."""
        try:
            return await self.seal_batch() > 0
        except ServiceError as error:
            log.warning("sealing documents waits", reason=error.reason)
        except Exception as error:  # noqa: BLE001 - a row that cannot be opened must not end the service.
            log.error("documents cannot be sealed", error=type(error).__name__)  # noqa: TRY400 - texts of errors quote rows.
        return False

    async def seal_batch(self) -> int:
        """Seals some of those that are left, and answers how many; once there are none, documents can be found by their hashes."""
        key_id = self._documents.key_id
        rows = await self._database.fetch(UNSEALED, BATCH_SIZE, key_id, key_id + LAST_HASH)
        sealed = await self._seal_all_or_each(rows) if rows else 0
        if sealed:
            log.info("documents were sealed", count=sealed)
        else:
            self._documents.is_ready = True
        return sealed

    async def _seal_all_or_each(self, rows: Sequence[asyncpg.Record]) -> int:
        try:
            await self._seal(rows)
        except asyncpg.UniqueViolationError:
            return sum([await self._is_sealed_alone(row) for row in rows])
        return len(rows)

    async def _is_sealed_alone(self, row: asyncpg.Record) -> bool:
        try:
            await self._seal([row])
        except asyncpg.UniqueViolationError:
            # Past the service, somebody was given the document of another customer. People must decide whose it is.
            log.error("a customer has another one's document", customer_id=str(row["id"]))  # noqa: TRY400 - its text quotes the row.
            return False
        return True

    async def _seal(self, rows: Sequence[asyncpg.Record]) -> None:
        columns = zip(*sorted(map(self._resealed, rows)), strict=True)

        async def seal(connection: Connection) -> None:
            await connection.execute(SEAL, *columns)

        await self._database.run(seal)

    def _resealed(self, row: asyncpg.Record) -> tuple[UUID, str | None, bytes | None, bytes, bytes, bytes]:
        # A document that waits and was edited meanwhile is sealed already, as the edit wanted it.
        sealed_before = row["sealed_document"]
        document = row["document"] if sealed_before is None else self._documents.open(row["id"], sealed_before)
        sealed = self._documents.resealed(row["id"], document, row["created_fingerprint"])
        return (row["id"], row["document"], row["document_hash"], *sealed)

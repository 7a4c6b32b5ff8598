"""Fills a shop's databases with orders of the past, by COPY."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg

from benchmarks.props import Props
from local_shop.cluster import SUPERUSER
from local_shop.postgres import LocalPostgres

CONNECT_TIMEOUT_S = 10.0
FILL_TIMEOUT_S = 3_600.0
CHUNKS_WAITING_MAX = 100
AGE_OF_THE_OLDEST_S = 10_000_000

# Each past order is a copy of the one that the shop placed when it was set up, with these columns of its own. Both databases come to the
# same ids and discs by themselves: every second order is for the hot disc, the others are spread over all discs.
PAST_TIME = f"now() - interval '1 second' * {AGE_OF_THE_OLDEST_S} * (1 - number::float8 / total)"
DISC_ID = (
    "CASE WHEN number % 2 = 0 THEN hot_disc_id ELSE other_disc_ids[1 + number / 2 % cardinality(other_disc_ids)] END"
)
ORDER_ID = "md5('past order ' || number)::uuid"
ORDER_COLUMNS = {
    "id": ORDER_ID,
    "customer_id": "customer_ids[1 + number % cardinality(customer_ids)]",
    "request_id": "'past-' || number",
    "disc_ids": f"ARRAY[{DISC_ID}]",
    "create_time": PAST_TIME,
    "update_time": PAST_TIME,
}
RESERVATION_COLUMNS = {
    "disc_id": DISC_ID,
    "reservation_id": ORDER_ID,
    "create_time": PAST_TIME,
    "update_time": PAST_TIME,
}
PARAMETERS = (
    "SELECT $1::int AS total, $2::uuid AS hot_disc_id, $3::uuid[] AS other_disc_ids, $4::uuid[] AS customer_ids"
)
COLUMNS = (
    "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
TAKE_COPIES = """
UPDATE discs SET stock = discs.opening_stock - held.copies
FROM (SELECT disc_id, sum(quantity) AS copies FROM reservations WHERE state = 'RESERVED' GROUP BY 1) AS held
WHERE discs.id = held.disc_id
"""


async def fill(server: LocalPostgres, databases: Mapping[str, str], props: Props, orders: int) -> None:
    """Put `orders` confirmed orders, and what they hold, into databases that nobody works on."""
    arguments = (orders, props.hot_disc_id, list(props.disc_ids), list(props.customer_ids))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_copy_rows(server, databases["order"], "orders", ORDER_COLUMNS, arguments))
        tasks.create_task(_copy_rows(server, databases["catalog"], "reservations", RESERVATION_COLUMNS, arguments))
    catalog = await _connect(server, databases["catalog"])
    try:
        await catalog.execute(TAKE_COPIES)
    finally:
        await catalog.close()
    for service in ("order", "catalog"):
        await _settle(server, databases[service])


async def _copy_rows(
    server: LocalPostgres, database: str, table: str, own: Mapping[str, str], arguments: Sequence[object]
) -> None:
    source, target = await _connect(server, database), await _connect(server, database)
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(CHUNKS_WAITING_MAX)

    async def arriving() -> AsyncIterator[bytes]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    async def read() -> None:
        columns = [row["attname"] for row in await source.fetch(COLUMNS, table)]
        values = ", ".join(own.get(column, f"sample.{column}") for column in columns)
        rows = f"(SELECT * FROM {table} LIMIT 1) AS sample, ({PARAMETERS}) AS given, LATERAL generate_series(1, total) AS number"  # noqa: S608
        query = f"SELECT {values} FROM {rows}"  # noqa: S608 - put together from constants and a catalogue's names.
        await source.copy_from_query(query, *arguments, output=chunks.put, format="binary", timeout=FILL_TIMEOUT_S)
        await chunks.put(None)

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            tasks.create_task(target.copy_to_table(table, source=arriving(), format="binary", timeout=FILL_TIMEOUT_S))
    finally:
        await source.close()
        await target.close()


async def _settle(server: LocalPostgres, database: str) -> None:
    """Have nothing left to do for autovacuum and checkpoints that would disturb the rounds."""
    connection = await _connect(server, database)
    try:
        await connection.execute("VACUUM (ANALYZE)", timeout=FILL_TIMEOUT_S)
        await connection.execute("CHECKPOINT", timeout=FILL_TIMEOUT_S)
    finally:
        await connection.close()


async def _connect(server: LocalPostgres, database: str) -> asyncpg.Connection:
    dsn = server.dsn(database, SUPERUSER, server.admin_password)
    return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=FILL_TIMEOUT_S)

"""An audit in seconds of millions of orders: each disc's orders and its ledger, as sums over both databases.

The shop's own audit walks order by order and names each wrong one; where that takes minutes, this one only tells whether there is one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import asyncpg

TIMEOUT_S = 900.0
SETTLE_S = 60.0
READ_AGAIN_S = 0.2
WORK_MEM = "SET work_mem = '256MB'"

# Equal sets of (id, quantity net of returns) have equal sums; that others have is as likely as two equal hashes of 64 bits.
SOLD = """
SELECT
    disc_id, count(*) AS orders, sum(quantity - returned) AS copies,
    bit_xor(uuid_hash_extended(order_id, quantity - returned)) AS hash
FROM audit.orders WHERE status = 'CONFIRMED' GROUP BY disc_id
"""
HELD = """
SELECT
    disc_id, count(*) AS orders, sum(quantity - returned) AS copies,
    bit_xor(uuid_hash_extended(reservation_id, quantity - returned)) AS hash
FROM audit.reservations WHERE state = 'RESERVED' GROUP BY disc_id
"""
STOCK = "SELECT disc_id, opening + moved AS ever, stock AS left FROM audit.stock"
OPEN = """
SELECT count(*) FROM (
    SELECT order_id FROM audit.orders WHERE status IN ('PENDING', 'CANCELLING')
    UNION SELECT order_id FROM audit.order_returns WHERE state = 'PENDING'
) AS still_open
"""
TWICE = """
SELECT count(*) FROM (
    SELECT FROM audit.orders GROUP BY customer_id, request_id HAVING min(order_id::text) <> max(order_id::text)
) AS twice
"""


@dataclass(frozen=True)
class Verdict:
    """What an audit said: how many discs and orders are wrong or open, and some of them in words."""

    disagreements: int
    orders_sold: int
    copies_sold: int
    faults: Sequence[str]


class _Sums(NamedTuple):
    """A disc's orders, or its rows in the ledger."""

    orders: int
    copies: int
    hash: int


async def audit_sums(orders: asyncpg.Connection, catalog: asyncpg.Connection) -> Verdict:
    """Audit a shop whose callers have gone; what they left open has SETTLE_S seconds to end."""
    still_open = await settled(lambda: orders.fetchval(OPEN, timeout=TIMEOUT_S), limit_s=SETTLE_S)
    await orders.execute(WORK_MEM)
    twice = await orders.fetchval(TWICE, timeout=TIMEOUT_S)
    sold = await _by_disc(orders, SOLD)
    held = await _by_disc(catalog, HELD)
    faults = [
        f"disc {disc_id}: {_told(sold.get(disc_id))} on orders, {_told(held.get(disc_id))} in the ledger"
        for disc_id in {*sold, *held}
        if sold.get(disc_id) != held.get(disc_id)
    ]
    for disc_id, ever, left in await catalog.fetch(STOCK, timeout=TIMEOUT_S):
        copies = held[disc_id].copies if disc_id in held else 0
        if left < 0 or ever != left + copies:
            faults.append(f"disc {disc_id}: of {ever} copies {left} are left and {copies} held")
    disagreements = len(faults) + still_open + twice
    faults += [
        f"{count} {what}"
        for count, what in ((still_open, "orders are open"), (twice, "request ids have several orders"))
        if count
    ]
    return Verdict(
        disagreements=disagreements,
        orders_sold=sum(disc.orders for disc in sold.values()),
        copies_sold=sum(disc.copies for disc in sold.values()),
        faults=faults,
    )


def _told(sums: _Sums | None) -> str:
    """Say how many there are."""
    return "none" if sums is None else f"{sums.orders} with {sums.copies} copies (hash {sums.hash})"


async def _by_disc(connection: asyncpg.Connection, sql: str) -> dict[UUID, _Sums]:
    rows = await connection.fetch(sql, timeout=TIMEOUT_S)
    return {row["disc_id"]: _Sums(row["orders"], row["copies"], row["hash"]) for row in rows}


async def settled(count_open: Callable[[], Awaitable[int]], *, limit_s: float) -> int:
    """Wait until nothing is open any more, limit_s seconds at most, and return how much still is."""
    deadline_s = time.monotonic() + limit_s
    while True:
        still_open = await count_open()
        if not still_open or time.monotonic() > deadline_s:
            return still_open
        await asyncio.sleep(READ_AGAIN_S)

"""What the books say of returns, in both databases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import asyncpg

from tests.chaos.stage import Stage
from tests.chaos.wishes import Lines

READ_TIMEOUT_S = 60.0
RETURNS = """
SELECT return_id, order_id, request_id, state, disposition, disc_id, quantity
FROM audit.order_returns WHERE order_id = ANY ($1::uuid[]) ORDER BY return_id, disc_id
"""
LEDGER_RETURNS = """
SELECT return_id, reservation_id, disposition, disc_id, quantity
FROM audit.stock_returns WHERE disc_id = ANY ($1::uuid[]) ORDER BY return_id, disc_id
"""
WRITE_OFFS = """
SELECT substr(movement_id, length('return/') + 1) AS return_id, disc_id, delta, state, reason
FROM stock_movements WHERE disc_id = ANY ($1::uuid[]) AND starts_with(movement_id, 'return/')
"""
WRITE_OFF = "WRITE_OFF"


@dataclass(frozen=True)
class ReturnRow:
    """A return as the orders' database has it."""

    order_id: str
    request_id: str
    state: str
    is_written_off: bool
    lines: Lines


@dataclass(frozen=True)
class LedgerReturn:
    """A return as the catalog has made it."""

    order_id: str
    is_written_off: bool
    lines: Lines


@dataclass(frozen=True)
class WriteOff:
    """The movement by which copies left that came back and were not put onto the shelf."""

    delta: int
    state: str
    reason: str


async def read_returns(stage: Stage, orders: Sequence[str]) -> dict[str, ReturnRow]:
    """The returns of these orders, by their ids."""
    return {
        return_id: ReturnRow(
            str(first["order_id"]), first["request_id"], first["state"], first["disposition"] == WRITE_OFF, lines
        )
        for return_id, first, lines in _by_return(await stage.orders.fetch(RETURNS, orders, timeout=READ_TIMEOUT_S))
    }


async def read_ledger_returns(stage: Stage, discs: Sequence[str]) -> dict[str, LedgerReturn]:
    """What came back of these discs, by the returns' ids."""
    rows = await stage.catalog.fetch(LEDGER_RETURNS, discs, timeout=READ_TIMEOUT_S)
    return {
        return_id: LedgerReturn(str(first["reservation_id"]), first["disposition"] == WRITE_OFF, lines)
        for return_id, first, lines in _by_return(rows)
    }


async def read_write_offs(stage: Stage, discs: Sequence[str]) -> dict[tuple[str, str], WriteOff]:
    """The movements that returns of these discs have made, by the return's id and the disc."""
    rows = await stage.catalog.fetch(WRITE_OFFS, discs, timeout=READ_TIMEOUT_S)
    return {
        (row["return_id"], str(row["disc_id"])): WriteOff(row["delta"], row["state"], row["reason"]) for row in rows
    }


def _by_return(rows: Sequence[asyncpg.Record]) -> Iterator[tuple[str, asyncpg.Record, Lines]]:
    """Each return, its first row, and its lines; the rows come in the order of the returns' ids."""
    for return_id, group in groupby(rows, key=itemgetter("return_id")):
        mine = list(group)
        yield str(return_id), mine[0], tuple((str(row["disc_id"]), row["quantity"]) for row in mine)

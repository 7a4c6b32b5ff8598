"""The audit straight from the databases: what is wrong is counted and named, and what is only under way is not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from local_shop.audit import audit_shop
from local_shop.copies import copy_databases, drop_databases
from local_shop.database_audit import DatabaseAudit, audit_databases
from local_shop.sale import burst, gathered_crowd, make_disc
from local_shop.shop_env import ShopEnv
from local_shop.tally import Tally
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.opened_shop import OpenedShop
from tests.support.shop_command import shop_command

OPENING = 100
DISC = """
INSERT INTO discs (
    id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, created_fingerprint
) VALUES ($1, 'Disc', 'Artist', 1999, 'Rock', 100, $2, $2, decode(repeat('00', 32), 'hex'))
"""
ORDER = """
INSERT INTO orders (
    id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities,
    names, artists, prices_cents, status, reason
) VALUES (
    $1, $2, $3, decode(repeat('00', 16), 'hex'), 'Ada', '***', ARRAY[$4::uuid], ARRAY[$5::integer],
    ARRAY['Disc'], ARRAY['Artist'], ARRAY[100], $6, CASE $6 WHEN 'REJECTED' THEN 'OUT_OF_STOCK' END
)
"""
RESERVATION = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count, fingerprint, name, price_cents)
VALUES ($1, $2, $3, $4, 1, decode(repeat('00', 16), 'hex'), 'Disc', 100)
"""


@dataclass
class Books:
    """The catalog's and the orders' databases without their services, written to by hand; one disc with 100 copies."""

    catalog: asyncpg.Connection
    orders: asyncpg.Connection
    catalog_dsn: str
    order_dsn: str
    disc_id: UUID = field(default_factory=uuid4)

    async def put(
        self,
        status: str | None,
        state: str | None,
        *,
        quantity: int = 2,
        held: int | None = None,
        customer_id: UUID | None = None,
        request_id: str = "r",
    ) -> UUID:
        """Write an order with this status and its ledger row in this state; None writes none."""
        order_id = uuid4()
        if status is not None:
            await self.orders.execute(
                ORDER, order_id, customer_id or uuid4(), request_id, self.disc_id, quantity, status
            )
        if state is not None:
            await self.catalog.execute(RESERVATION, self.disc_id, order_id, state, held or quantity)
        if state == "RESERVED":
            await self.catalog.execute("UPDATE discs SET stock = stock - $1", held or quantity)
        return order_id

    async def audit(self, *acknowledged: UUID, settle_s: float = 5.0) -> DatabaseAudit:
        """Audit the books."""
        return await audit_databases(self.catalog_dsn, self.order_dsn, acknowledged=acknowledged, settle_s=settle_s)


@pytest.fixture
async def books(postgres: ProvisionedPostgres) -> AsyncIterator[Books]:
    copies = copy_databases(postgres.server, uuid4().hex)
    catalog, orders = [
        await asyncpg.connect(postgres.admin_dsn(copies[service]), timeout=10) for service in ("catalog", "order")
    ]
    await catalog.execute("DELETE FROM discs")
    books = Books(
        catalog,
        orders,
        postgres.dsn(copies["catalog"], "catalog_service"),
        postgres.dsn(copies["order"], "order_service"),
    )
    await catalog.execute(DISC, books.disc_id, OPENING)
    yield books
    await catalog.close()
    await orders.close()
    drop_databases(postgres.server, copies)


async def test_what_agrees_is_no_fault(books: Books) -> None:
    sold = await books.put("CONFIRMED", "RESERVED")
    await books.put("REJECTED", "DENIED")
    await books.put("REJECTED", None)
    await books.put("CANCELLED", "RELEASED")
    await books.put(None, "RELEASED")
    audit = await books.audit(sold)
    assert audit.faults == []
    assert (audit.oversold, audit.lost, audit.duplicated, audit.open) == (0, 0, 0, 0)
    (disc,) = audit.discs
    assert (disc.opening, disc.left, disc.held, disc.sold) == (100, 98, 2, 2)


@pytest.mark.parametrize(("status", "state"), [("CONFIRMED", None), ("CONFIRMED", "RELEASED"), ("CONFIRMED", "DENIED")])
async def test_a_confirmed_order_without_its_copies_is_lost(books: Books, status: str, state: str | None) -> None:
    order_id = await books.put(status, state)
    audit = await books.audit()
    assert (audit.lost, audit.duplicated) == (1, 0)
    assert str(order_id) in audit.faults[0]


async def test_a_confirmed_order_with_other_copies_is_lost(books: Books) -> None:
    order_id = await books.put("CONFIRMED", "RESERVED", quantity=2, held=1)
    audit = await books.audit()
    assert audit.lost == 1
    assert str(order_id) in audit.faults[0]


RETURN = """
INSERT INTO order_returns (id, order_id, request_id, fingerprint, disc_ids, quantities, disposition)
VALUES (gen_random_uuid(), $1, 'r', decode(repeat('00', 16), 'hex'), ARRAY[$2::uuid], '{1}', 'RESTOCK')
"""


async def test_returned_copies_are_neither_held_nor_sold(books: Books) -> None:
    order_id = await books.put("CONFIRMED", "RESERVED", quantity=3)
    await books.orders.execute("UPDATE orders SET returned = '{1}'")
    await books.catalog.execute("UPDATE reservations SET returned = 1")
    await books.catalog.execute("UPDATE discs SET stock = stock + 1")
    audit = await books.audit(order_id)
    assert audit.faults == []
    (disc,) = audit.discs
    assert (disc.opening, disc.left, disc.held, disc.sold) == (100, 98, 2, 2)


async def test_a_return_that_only_one_side_counts_is_a_fault_unless_it_is_under_way(books: Books) -> None:
    order_id = await books.put("CONFIRMED", "RESERVED", quantity=3)
    await books.catalog.execute("UPDATE reservations SET returned = 1")
    await books.catalog.execute("UPDATE discs SET stock = stock + 1")
    audit = await books.audit()
    assert (audit.lost, audit.open) == (1, 0)
    await books.orders.execute(RETURN, order_id, books.disc_id)
    audit = await books.audit(settle_s=0.3)
    assert (audit.lost, audit.open) == (0, 1)


@pytest.mark.parametrize("status", ["REJECTED", "CANCELLED", None])
async def test_copies_held_without_a_confirmed_order_are_duplicated(books: Books, status: str | None) -> None:
    order_id = await books.put(status, "RESERVED")
    audit = await books.audit()
    assert (audit.lost, audit.duplicated) == (0, 1)
    assert str(order_id) in audit.faults[0]


@pytest.mark.parametrize(("status", "state"), [("REJECTED", "DENIED"), ("CANCELLED", "RELEASED"), (None, None)])
async def test_an_acknowledged_order_that_is_not_confirmed_is_lost(
    books: Books, status: str | None, state: str | None
) -> None:
    order_id = await books.put(status, state)
    audit = await books.audit(order_id)
    assert (audit.lost, audit.duplicated) == (1, 0)
    assert str(order_id) in audit.faults[0]


async def test_two_orders_of_one_request_are_duplicated(books: Books) -> None:
    customer_id = uuid4()
    twins = [
        await books.put("CONFIRMED", "RESERVED", customer_id=customer_id),
        await books.put("REJECTED", "DENIED", customer_id=customer_id),
    ]
    await books.put("CONFIRMED", "RESERVED")  # The same request_id of another customer is another request.
    audit = await books.audit()
    assert (audit.lost, audit.duplicated) == (0, 1)
    assert all(str(order_id) in audit.faults[0] for order_id in twins)


async def test_more_copies_held_than_there_were_are_oversold(books: Books) -> None:
    await books.put("CONFIRMED", "RESERVED", quantity=60)
    await books.put("CONFIRMED", "RELEASED", quantity=1)
    await books.catalog.execute("UPDATE reservations SET quantity = 103 WHERE state = 'RESERVED'")
    await books.orders.execute("UPDATE orders SET quantities = ARRAY[103] WHERE quantities = ARRAY[60]")
    audit = await books.audit()
    assert audit.oversold == 4
    assert str(books.disc_id) in audit.faults[-2]


async def test_copies_out_of_nowhere_do_not_add_up(books: Books) -> None:
    await books.catalog.execute("UPDATE discs SET stock = stock + 5")
    audit = await books.audit()
    assert (audit.oversold, audit.lost, audit.duplicated) == (0, 0, 0)
    assert f"disc {books.disc_id} does not add up" in audit.faults[0]


async def test_an_open_order_is_waited_for_and_is_no_fault_when_it_is_decided(books: Books) -> None:
    order_id = await books.put("PENDING", "RESERVED")
    auditing = asyncio.create_task(books.audit(settle_s=20))
    # The audit looks again and again: it has seen the order open when its second reading is under way.
    while await books.orders.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%= ANY ($1)%'") < 2:
        continue
    await books.orders.execute("UPDATE orders SET status = 'CONFIRMED' WHERE id = $1", order_id)
    assert (await auditing).faults == []


async def test_an_order_that_stays_open_is_a_fault_of_its_own(books: Books) -> None:
    order_id = await books.put("CANCELLING", "RESERVED")
    audit = await books.audit(settle_s=0.3)
    assert (audit.open, audit.lost, audit.duplicated) == (1, 0, 0)
    assert str(order_id) in audit.faults[0]


async def test_an_audit_of_a_shop_that_sells_finds_nothing_wrong(fresh_shop: FreshShops) -> None:
    fresh = await fresh_shop()
    tally = Tally()
    async with gathered_crowd(fresh.local) as crowd:
        disc_id = await make_disc(crowd.shop, "Audited", 1_000_000)
        selling = asyncio.create_task(
            burst(crowd, disc_id, clients=10, seconds=3, tally=tally, progress=lambda _: None)
        )
        audits = [await audit_shop(ShopEnv.of(fresh.local)) for _ in range(2)]
        await selling
    last = await audit_shop(ShopEnv.of(fresh.local), acknowledged=tally.confirmed)
    assert [audit.faults for audit in (*audits, last)] == [[], [], []]
    assert last.verdict(UUID(disc_id)) == (
        f"AUDIT OK opening=1000000 sold={tally.sold} left={1_000_000 - tally.sold} oversold=0 lost=0 duplicated=0"
    )


async def test_the_command_names_the_spoiled_order_and_ends_with_1(
    fresh_shop: FreshShops, tmp_path: Path, postgres: ProvisionedPostgres
) -> None:
    fresh: OpenedShop = await fresh_shop()
    ShopEnv.of(fresh.local).write(tmp_path / "shop.env")
    async with gathered_crowd(fresh.local) as crowd:
        tally = Tally()
        disc_id = await make_disc(crowd.shop, "Spoiled", 10)
        await crowd.buy(0, disc_id, tally, since_s=0.0)
    (order_id,) = tally.confirmed
    connection = await asyncpg.connect(fresh.local.catalog_dsn, timeout=10)
    await connection.execute("UPDATE reservations SET state = 'RELEASED' WHERE reservation_id = $1", order_id)
    await connection.close()
    with shop_command("audit", shop_dir=tmp_path) as audit:
        code = await asyncio.to_thread(audit.finish)
    assert code == 1
    assert audit.lines[-1].startswith("AUDIT FAILED ")
    assert audit.lines[-1].endswith(" oversold=0 lost=1 duplicated=0")
    assert sum(str(order_id) in line for line in audit.lines) == 2, "the services and the databases both name it"

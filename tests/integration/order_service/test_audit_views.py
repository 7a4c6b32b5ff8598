"""The views for SQL from outside: their columns are kept stable, and they say what the services say."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.integration.order_desk import WRITE_OFF, OrderDesk, order_id
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import StockRoom, new_id
from tests.opened_shop import OpenedShop

COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum
"""


async def columns(admin: asyncpg.Connection, view: str) -> list[tuple[str, str]]:
    return [tuple(row) for row in await admin.fetch(COLUMNS, view)]


async def test_the_catalogs_views_have_their_columns(catalog_admin: asyncpg.Connection) -> None:
    assert await columns(catalog_admin, "audit.stock") == [
        ("disc_id", "uuid"),
        ("opening", "bigint"),
        ("moved", "bigint"),
        ("stock", "bigint"),
    ]
    assert await columns(catalog_admin, "audit.reservations") == [
        ("reservation_id", "uuid"),
        ("state", "text"),
        ("disc_id", "uuid"),
        ("quantity", "integer"),
        ("returned", "integer"),
    ]
    assert await columns(catalog_admin, "audit.stock_returns") == [
        ("return_id", "uuid"),
        ("reservation_id", "uuid"),
        ("disposition", "text"),
        ("disc_id", "uuid"),
        ("quantity", "integer"),
    ]


async def test_the_orders_view_has_its_columns(order_admin: asyncpg.Connection) -> None:
    assert await columns(order_admin, "audit.orders") == [
        ("order_id", "uuid"),
        ("customer_id", "uuid"),
        ("request_id", "text"),
        ("status", "text"),
        ("disc_id", "uuid"),
        ("quantity", "integer"),
        ("price_cents", "bigint"),
        ("returned", "integer"),
    ]
    assert await columns(order_admin, "audit.order_returns") == [
        ("return_id", "uuid"),
        ("order_id", "uuid"),
        ("request_id", "text"),
        ("state", "text"),
        ("disposition", "text"),
        ("disc_id", "uuid"),
        ("quantity", "integer"),
    ]


async def test_the_views_say_what_the_services_say(
    orders: OrderDesk, stock: StockRoom, shop: OpenedShop, catalog_admin: Any, order_admin: Any
) -> None:
    one, other = [(await shop.make_disc(stock=10, price_cents=price)).id for price in (100, 250)]
    customer_id = (await shop.make_customer()).id
    sold = await orders.create(customer_id, {one: 2, other: 1}, "sold")
    parted = await orders.create(customer_id, {one: 5}, "parted")
    await orders.cancel(parted.id, "back", {one: 2})
    await orders.cancel(parted.id, "broken", {one: 1}, WRITE_OFF)
    cancelled = await orders.cancel((await orders.create(customer_id, {one: 3}, "cancelled")).id)
    await refusal_of(orders.create(customer_id, {one: 999}, "refused"))
    await stock.adjust(one, 7)
    await stock.adjust(one, -2)
    await refusal_of(stock.adjust(one, -500))
    refused = order_id(customer_id, "refused")

    balance = await stock.balance(one)
    in_stock = await catalog_admin.fetchrow("SELECT * FROM audit.stock WHERE disc_id = $1", UUID(one))
    assert tuple(in_stock) == (UUID(one), balance.opening, balance.moved, balance.left) == (UUID(one), 10, 4, 10)

    held = await catalog_admin.fetch("SELECT * FROM audit.reservations WHERE disc_id = $1", UUID(one))
    assert {tuple(row) for row in held} == {
        (UUID(sold.id), "RESERVED", UUID(one), 2, 0),
        (UUID(parted.id), "RESERVED", UUID(one), 5, 3),
        (UUID(cancelled.id), "RELEASED", UUID(one), 3, 0),
        (UUID(refused), "DENIED", UUID(one), 999, 0),
    }

    placed = await order_admin.fetch("SELECT * FROM audit.orders WHERE customer_id = $1", UUID(customer_id))
    customer = UUID(customer_id)
    assert {tuple(row) for row in placed} == {
        (UUID(sold.id), customer, "sold", "CONFIRMED", UUID(one), 2, 100, 0),
        (UUID(parted.id), customer, "parted", "CONFIRMED", UUID(one), 5, 100, 3),
        (UUID(sold.id), customer, "sold", "CONFIRMED", UUID(other), 1, 250, 0),
        (UUID(cancelled.id), customer, "cancelled", "CANCELLED", UUID(one), 3, 100, 0),
        (UUID(refused), customer, "refused", "REJECTED", UUID(one), 999, None, 0),
    }

    made = await order_admin.fetch("SELECT * FROM audit.order_returns WHERE order_id = $1", UUID(parted.id))
    assert {tuple(row)[1:] for row in made} == {
        (UUID(parted.id), "back", "APPLIED", "RESTOCK", UUID(one), 2),
        (UUID(parted.id), "broken", "APPLIED", "WRITE_OFF", UUID(one), 1),
    }
    came = await catalog_admin.fetch("SELECT * FROM audit.stock_returns WHERE disc_id = $1", UUID(one))
    assert {tuple(row) for row in came} == {
        (row["return_id"], UUID(parted.id), row["disposition"], UUID(one), row["quantity"]) for row in made
    }


@pytest.mark.parametrize("view", ["audit.stock", "audit.reservations", "audit.stock_returns"])
async def test_the_catalogs_views_are_read_only_for_the_service(shop: OpenedShop, view: str) -> None:
    await cannot_delete(shop.local.catalog_dsn, view)


async def test_the_orders_view_is_read_only_for_the_service(shop: OpenedShop) -> None:
    await cannot_delete(shop.local.order_dsn, "audit.orders")
    await cannot_delete(shop.local.order_dsn, "audit.order_returns")


async def cannot_delete(dsn: str, view: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.fetch(f"SELECT * FROM {view} LIMIT 1")
        # Views over joins and sub-selects cannot be written at all; a plain one needs a right that the service has not.
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)):
            await connection.execute(f"DELETE FROM {view} WHERE disc_id = '{new_id()}'")
    finally:
        await connection.close()

"""POSTGRES_SCHEMA: the shop's tables may lie in a schema of another name."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from local_shop.copies import drop_databases
from local_shop.process_logs import FileLog
from local_shop.provision import DATABASES
from local_shop.shop import LocalShop, ShopOptions
from recordshop.order.v1 import order_pb2
from tests.conftest import ProvisionedPostgres
from tests.opened_shop import OpenedShop, opened

MIGRATIONS = Path(__file__).parents[3] / "db"
SCHEMA = "vinyl"


def statements_up(service: str) -> list[str]:
    """What dbmate runs for a service's database, file by file."""
    files = sorted((MIGRATIONS / service).glob("*.sql"))
    return [path.read_text(encoding="utf-8").split("-- migrate:down")[0] for path in files]


@pytest.fixture
async def shop_in_a_schema(postgres: ProvisionedPostgres) -> AsyncIterator[tuple[OpenedShop, list[str]]]:
    """A shop whose databases have an empty schema `public`, and their tables in another one."""
    databases = {}
    admin = await asyncpg.connect(postgres.admin_dsn("postgres"))
    for target in DATABASES:
        database = databases[target.service] = f"{target.database}_{SCHEMA}"
        await admin.execute(f"CREATE DATABASE {database} OWNER {target.owner}")
        await admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {target.role}")
        owner = await asyncpg.connect(postgres.dsn(database, target.owner))
        await owner.execute(f"CREATE SCHEMA {SCHEMA}; SET search_path TO {SCHEMA}")
        for statements in statements_up(target.service):
            await owner.execute(statements)
        await owner.close()
    await admin.close()
    options = ShopOptions(
        databases=databases,
        settings={target.service: {"POSTGRES_SCHEMA": SCHEMA} for target in DATABASES},
        log_of=lambda service: FileLog(postgres.folder / f"{service}-{SCHEMA}.log"),
    )
    with LocalShop(postgres.server, postgres.passwords, options) as local:
        async with opened(local) as shop:
            yield shop, list(databases.values())
    drop_databases(postgres.server, databases)


async def test_a_shop_in_a_schema_of_another_name_sells_and_agrees(
    shop_in_a_schema: tuple[OpenedShop, list[str]], postgres: ProvisionedPostgres
) -> None:
    shop, databases = shop_in_a_schema
    disc, customer = await shop.make_disc(stock=5), await shop.make_customer()
    order = await shop.order.CreateOrder(
        order_pb2.CreateOrderRequest(
            customer_id=customer.id,
            request_id=str(uuid4()),
            lines=[order_pb2.OrderLineRequest(disc_id=disc.id, quantity=2)],
        )
    )
    assert order.status == order_pb2.ORDER_STATUS_CONFIRMED
    [audit] = [message async for message in shop.order.AuditStock(order_pb2.AuditStockRequest(disc_ids=[disc.id]))]
    assert (audit.verdict, audit.left, audit.sold) == (order_pb2.AUDIT_VERDICT_AGREES, 3, 2)
    for database in databases:
        admin = await asyncpg.connect(postgres.admin_dsn(database))
        assert await admin.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await admin.close()

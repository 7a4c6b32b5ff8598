"""The records that a fresh shop has."""

import asyncpg

from customer_service.cpf import read_cpf
from local_shop.provision import DB_DIR
from recordshop.catalog.v1 import catalog_pb2
from recordshop.customer.v1 import customer_pb2
from tests.conftest import ProvisionedPostgres
from tests.integration.catalog_service.shelf import CALL_TIMEOUT_S, Shelf
from tests.opened_shop import OpenedShop

WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
JOHN_DOE = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"


async def test_a_fresh_shop_has_the_disc_and_the_customer_of_the_first_order(shop: OpenedShop, discs: Shelf) -> None:
    disc = await discs.get(WE_ARE_REACTIVE)
    assert (disc.name, disc.artist, disc.year_of_release, disc.genre) == ("We are Reactive", "Hohpe", 2022, "Indie")
    request = customer_pb2.GetCustomerRequest(id=JOHN_DOE)
    customer = await shop.customer.GetCustomer(request, timeout=CALL_TIMEOUT_S)
    assert (customer.name, customer.active) == ("John Doe", True)
    assert read_cpf(customer.document) == customer.document


async def test_a_fresh_shop_has_a_few_dozen_records_in_stock_and_some_sold_out(
    postgres: ProvisionedPostgres, spare_database: str
) -> None:
    owner = await asyncpg.connect(postgres.dsn(spare_database, "catalog_owner"), timeout=10)
    seeded = await owner.fetch("SELECT name, stock, opening_stock FROM discs")
    assert len(seeded) >= 36
    assert all(disc["stock"] == disc["opening_stock"] for disc in seeded)
    assert {disc["name"]: disc["stock"] for disc in seeded}["We are Reactive"] == 500
    assert 0 < sum(disc["stock"] == 0 for disc in seeded) < len(seeded) / 4
    await owner.close(timeout=10)


async def test_seeding_again_leaves_everything_as_it_is(postgres: ProvisionedPostgres, spare_database: str) -> None:
    owner = await asyncpg.connect(postgres.dsn(spare_database, "catalog_owner"), timeout=10)
    await owner.execute("UPDATE discs SET stock = 7, name = 'Edited', version = 2 WHERE id = $1", WE_ARE_REACTIVE)
    before = await owner.fetch("SELECT * FROM discs ORDER BY id")
    await owner.execute((DB_DIR / "seed" / "catalog.sql").read_text(encoding="utf-8"))
    assert await owner.fetch("SELECT * FROM discs ORDER BY id") == before
    await owner.close(timeout=10)


async def test_creating_a_seeded_record_again_answers_it(discs: Shelf) -> None:
    seeded = await discs.get(WE_ARE_REACTIVE)
    content = catalog_pb2.Disc(
        name="We are Reactive", artist="Hohpe", year_of_release=2022, genre="Indie", price_cents=2_999
    )
    request = catalog_pb2.CreateDiscRequest(disc=content, disc_id=WE_ARE_REACTIVE, opening_stock=500)
    assert (await discs.stub.CreateDisc(request, timeout=CALL_TIMEOUT_S)).id == seeded.id


async def test_creating_a_seeded_customer_again_answers_them(shop: OpenedShop) -> None:
    request = customer_pb2.GetCustomerRequest(id=JOHN_DOE)
    seeded = await shop.customer.GetCustomer(request, timeout=CALL_TIMEOUT_S)
    again = customer_pb2.CreateCustomerRequest(customer=seeded, customer_id=JOHN_DOE)
    assert await shop.customer.CreateCustomer(again, timeout=CALL_TIMEOUT_S) == seeded

"""Documents are kept sealed: those of seeds, of earlier versions and of earlier keys too, and no statement shows one without the key."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from uuid import UUID, uuid4

import asyncpg
import pytest

from customer_service.documents import KEY_FOR_TRYING_OUT, Documents
from customer_service.errors import DocumentsNotReady, DocumentTaken
from customer_service.model import Customer, CustomerDraft, CustomerEdit, CustomerFilter, CustomerQuery
from customer_service.repository import CustomerRepository
from customer_service.sealing import BATCH_SIZE, DocumentSealing
from local_shop.copies import copy_databases, drop_databases
from local_shop.secret_files import SecretFiles
from recordshop.customer.v1.customer_pb2 import CreateCustomerRequest, GetCustomerRequest, ListCustomersRequest
from service_runtime.database import Database, open_database
from service_runtime.settings import DatabaseSettings
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.customer_service.people import new_document, new_person

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
# As the version before wrote them, and as seeds do.
ADD_PLAIN = """
INSERT INTO customers (id, document, name, birth_date, email, phone, created_fingerprint)
SELECT
    id, document, 'Ana Souza', '1984-11-05', 'ana@example.com', '190',
    sha256(convert_to(json_build_array(document, 'Ana Souza', '1984-11-05', 'ana@example.com', '190')::text, 'UTF8'))
FROM unnest($1::uuid[], $2::text[]) AS new (id, document)
"""
LEFT = "SELECT count(*) FROM customers WHERE document IS NOT NULL"
EVERYTHING = "SELECT string_agg(customers::text, E'\\n') FROM customers"


@pytest.fixture
async def name(postgres: ProvisionedPostgres) -> AsyncIterator[str]:
    """A database of the test's own, with the customers of the seed, and no service."""
    copies = copy_databases(postgres.server, uuid4().hex)
    yield copies["customer"]
    drop_databases(postgres.server, copies)


@pytest.fixture
async def own(postgres: ProvisionedPostgres, name: str) -> AsyncIterator[Database]:
    """That database, as the service uses it."""
    settings = DatabaseSettings(
        postgres_port=postgres.server.port,
        postgres_user="customer_service",
        postgres_password=postgres.passwords["customer_service"],
        postgres_db=name,
    )
    async with open_database(settings) as database:
        yield database


@asynccontextmanager
async def owner_of(postgres: ProvisionedPostgres, name: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.dsn(name, "customer_owner"), timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


def draft(customer_id: UUID, document: str) -> CustomerDraft:
    """The customer whom ADD_PLAIN adds."""
    born = date(1984, 11, 5)
    return CustomerDraft(
        id=customer_id, document=document, name="Ana Souza", birth_date=born, email="ana@example.com", phone="190"
    )


async def sealed_all(database: Database, *secrets: bytes) -> tuple[Documents, CustomerRepository]:
    """Seals until nothing is left."""
    documents = Documents(secrets)
    sealing = DocumentSealing(database=database, documents=documents, interval_s=60)
    while await sealing.seal_batch():
        assert not documents.is_ready
    assert documents.is_ready
    return documents, CustomerRepository(database=database, documents=documents)


async def found_by(customers: CustomerRepository, document: str) -> list[Customer]:
    wanted = CustomerFilter(document=document, email=None, active=None)
    page = await customers.search(CustomerQuery(filter=wanted, first_id=UUID(int=0), size=10))
    return list(page.customers)


async def test_documents_of_the_version_before_are_sealed_and_found_and_unique(
    postgres: ProvisionedPostgres, name: str, own: Database
) -> None:
    ids = [uuid4() for _ in range(2 * BATCH_SIZE + 1)]
    plain = [new_document() for _ in ids]
    async with owner_of(postgres, name) as owner:
        await owner.execute(ADD_PLAIN, ids, plain)
        _, customers = await sealed_all(own, OLD)
        assert await owner.fetchval(LEFT) == 0
        everything = await owner.fetchval(EVERYTHING)
        assert not [document for document in plain if document in everything]
    assert [customer.document for customer in await customers.get_all(ids, skip_missing=False)] == plain
    assert [customer.id for customer in await found_by(customers, plain[7])] == [ids[7]]
    with pytest.raises(DocumentTaken):
        await customers.create(draft(uuid4(), plain[7]))
    # Created by the version before, and asked for again.
    assert (await customers.create(draft(ids[7], plain[7]))).version == 1


async def test_before_all_are_sealed_nobody_is_given_a_document_that_may_be_taken(own: Database) -> None:
    customers = CustomerRepository(database=own, documents=Documents([OLD]))
    with pytest.raises(DocumentsNotReady):
        await customers.create(draft(uuid4(), new_document()))
    with pytest.raises(DocumentsNotReady):
        await found_by(customers, new_document())


# Hashes by the earlier key lie before those by the later one, or behind them.
@pytest.mark.parametrize(("earlier", "later"), [(OLD, NEW), (NEW, OLD), (KEY_FOR_TRYING_OUT, NEW)])
async def test_a_new_key_seals_everything_anew_and_the_earlier_one_may_go(
    own: Database, earlier: bytes, later: bytes
) -> None:
    _, before = await sealed_all(own, earlier)
    made = await before.create(draft(uuid4(), new_document()))
    rows = await own.fetch("SELECT document_hash FROM customers")
    documents, customers = await sealed_all(own, later, earlier)
    assert await customers.get(made.id, None) == made
    # With the earlier key's help a repeated call is known as one.
    assert await customers.create(draft(made.id, made.document)) == made
    _, alone = await sealed_all(own, later)
    assert await found_by(alone, made.document) == [made]
    hashes = [row["document_hash"] for row in await own.fetch("SELECT document_hash FROM customers")]
    assert len(hashes) == len(rows)
    assert all(found.startswith(documents.key_id) for found in hashes)


async def test_two_processes_may_seal_at_once(postgres: ProvisionedPostgres, name: str, own: Database) -> None:
    ids = [uuid4() for _ in range(BATCH_SIZE + 100)]
    plain = [new_document() for _ in ids]
    async with owner_of(postgres, name) as owner:
        await owner.execute(ADD_PLAIN, ids, plain)
        (_, customers), _ = await asyncio.gather(sealed_all(own, OLD), sealed_all(own, OLD))
        assert await owner.fetchval(LEFT) == 0
    assert [customer.document for customer in await customers.get_all(ids, skip_missing=False)] == plain


async def test_what_was_edited_meanwhile_is_not_overwritten(own: Database) -> None:
    _, before = await sealed_all(own, OLD)
    made = await before.create(draft(uuid4(), new_document()))
    later = Documents([NEW, OLD])
    sealing = DocumentSealing(database=own, documents=later, interval_s=60)

    row = dict((await own.fetch("SELECT * FROM customers WHERE id = $1", made.id))[0])
    # As it was before somebody edited it.
    stale = sealing._resealed({**row, "document_hash": bytes(36)})  # type: ignore[arg-type]
    await own.fetch(
        "SELECT seal_documents($1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[])",
        *([value] for value in stale),
    )
    assert await before.get(made.id, None) == made


async def test_a_document_that_waits_and_is_edited_stays_as_it_was_edited(
    postgres: ProvisionedPostgres, name: str, own: Database
) -> None:
    _, customers = await sealed_all(own, OLD)
    customer_id, wanted = uuid4(), new_document()
    async with owner_of(postgres, name) as owner:
        await owner.execute(ADD_PLAIN, [customer_id], [new_document()])
        nothing_else = dict.fromkeys(("name", "birth_date", "email", "phone", "active"))
        await customers.edit(CustomerEdit(id=customer_id, etag="", document=wanted, **nothing_else), None)
        assert (await customers.get(customer_id, None)).document == wanted
        _, after = await sealed_all(own, OLD)
        assert await owner.fetchval(LEFT) == 0
    assert (await after.get(customer_id, None)).document == wanted


async def test_a_document_that_came_past_the_service_and_is_anothers_holds_up_nobody(
    postgres: ProvisionedPostgres, name: str, own: Database
) -> None:
    _, customers = await sealed_all(own, OLD)
    made = await customers.create(draft(uuid4(), new_document()))
    other, more = uuid4(), uuid4()
    async with owner_of(postgres, name) as owner:
        await owner.execute(ADD_PLAIN, [other, more], [made.document, document := new_document()])
    _, after = await sealed_all(own, OLD)
    assert [customer.id for customer in await found_by(after, made.document)] == [made.id]
    assert [customer.id for customer in await found_by(after, document)] == [more]


async def test_a_service_seals_what_it_finds_and_is_healthy_then(
    postgres: ProvisionedPostgres, fresh_shop: FreshShops
) -> None:
    shop = await fresh_shop()
    dsn = postgres.admin_dsn(shop.local.customer_dsn.rpartition("/")[2])
    admin = await asyncpg.connect(dsn, timeout=10)
    try:
        assert await admin.fetchval(LEFT) == 0
        person = new_person()
        made = await shop.customer.CreateCustomer(CreateCustomerRequest(customer=person), timeout=10)
        assert (made.document, made.masked_document) == (
            person.document,
            f"***.{person.document[3:6]}.{person.document[6:9]}-**",
        )
        found = await shop.customer.ListCustomers(ListCustomersRequest(document=person.document), timeout=10)
        assert list(found.customers) == [made]
        assert person.document not in await admin.fetchval(EVERYTHING)
        key = base64.b64decode(SecretFiles.of(postgres.server).document_key.read_bytes())
        hashes = [row["document_hash"] for row in await admin.fetch("SELECT document_hash FROM customers")]
        assert {found[:4] for found in hashes} == {Documents([key]).key_id}
    finally:
        await admin.close()


async def test_seeds_that_come_while_the_service_runs_are_sealed_too(
    postgres: ProvisionedPostgres, fresh_shop: FreshShops
) -> None:
    shop = await fresh_shop(settings={"customer": {"SEALING_INTERVAL_S": "0.1"}})
    customer_id, document = uuid4(), new_document()
    async with owner_of(postgres, shop.local.customer_dsn.rpartition("/")[2]) as owner:
        await owner.execute(ADD_PLAIN, [customer_id], [document])
        await eventually(lambda: owner.fetchval(LEFT), lambda left: left == 0)
    found = await shop.customer.GetCustomer(GetCustomerRequest(id=str(customer_id)), timeout=10)
    assert found.document == document

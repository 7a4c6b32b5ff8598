"""A shop of the version before, whose customers' documents are in the clear, becomes one of this version when it is started again."""

import shutil
from datetime import date
from pathlib import Path
from uuid import uuid4

import asyncpg

from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.provision import DB_DIR, provision
from local_shop.shop import LocalShop, ShopOptions
from recordshop.customer.v1 import customer_pb2
from tests.opened_shop import opened, random_cpf

LATER = (
    "catalog/0007_kept_by_the_database.sql",
    "customer/0003_sealed_documents.sql",
    "customer/0004_kept_by_the_database.sql",
    "order/0011_anonymized_customers.sql",
    "order/0012_kept_by_the_database.sql",
)
CUSTOMERS = 1_200
ADD = """
INSERT INTO customers (id, document, name, birth_date, email, phone, created_fingerprint)
SELECT id, document, 'Ana Souza', '1984-11-05', 'ana@example.com', '190', sha256(document::bytea)
FROM unnest($1::uuid[], $2::text[]) AS new (id, document)
ON CONFLICT DO NOTHING
"""
LEFT = "SELECT count(*) FROM customers WHERE document IS NOT NULL OR sealed_document IS NULL OR document_hash IS NULL"
TIMEOUT_S = 10.0


async def test_plain_documents_of_the_version_before_come_out_sealed(tmp_path: Path) -> None:
    before = tmp_path / "db"
    shutil.copytree(DB_DIR, before)
    for later in LATER:
        (before / later).unlink()
    ids = [uuid4() for _ in range(CUSTOMERS)]
    documents = list(dict.fromkeys(random_cpf() for _ in range(2 * CUSTOMERS)))[:CUSTOMERS]
    with LocalPostgres(data_dir=tmp_path / "postgres", sync_new_files=False) as server:
        passwords = provision(server, db_dir=before)
        admin = await asyncpg.connect(server.dsn("customer", "postgres", server.admin_password), timeout=TIMEOUT_S)
        await admin.execute(ADD, ids, documents)
        assert await admin.fetchval("SELECT count(document) FROM customers") == CUSTOMERS + 11

        assert provision(server) == passwords
        options = ShopOptions(log_of=lambda service: FileLog(tmp_path / f"{service}.log"))
        with LocalShop(server, passwords, options) as local:
            async with opened(local) as shop:
                assert await admin.fetchval(LEFT) == 0
                wanted = customer_pb2.BatchGetCustomersRequest(ids=[str(customer_id) for customer_id in ids[:1_000]])
                found = await shop.customer.BatchGetCustomers(wanted, timeout=TIMEOUT_S)
                assert [customer.document for customer in found.customers] == documents[:1_000]
                by_document = customer_pb2.ListCustomersRequest(document=documents[-1])
                [one] = (await shop.customer.ListCustomers(by_document, timeout=TIMEOUT_S)).customers
                assert (one.id, date.fromisoformat(one.birth_date)) == (str(ids[-1]), date(1984, 11, 5))
        await admin.close()

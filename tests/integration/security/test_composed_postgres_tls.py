"""compose/postgres-tls.yaml's settings, on a PostgreSQL that was built with TLS, as the one that comes along was not."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from local_shop.certs import make_certs
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.provision import provision
from local_shop.shop import LocalShop, ShopOptions
from recordshop.client import RecordShop
from recordshop.order.v1 import order_pb2
from tests.faults.waiting import eventually

FILE = Path(__file__).parents[3] / "compose" / "postgres-tls.yaml"
SYSTEM = "/usr/lib/postgresql"
VERSION_MIN = 15
JOHN_DOE = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
CONNECTIONS = """
SELECT usename, bool_and(ssl) AS all_by_tls FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename LIKE '%\\_service' GROUP BY 1
"""


def composed() -> dict[str, Any]:
    """The file's services."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return found


def at_home(text: str, certs: Path, service: str) -> str:
    """Where a container has its files is, here, the folder of all."""
    return re.sub(r"^/certs/(tls(?=\.))?", lambda found: f"{certs}/{service if found[1] else ''}", text)


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    """A CA and certificates."""
    make_certs(tmp_path / "certs")
    return tmp_path / "certs"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPostgres]:
    """A server of the system's PostgreSQL."""
    found = sorted(Path(SYSTEM).glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found or int(found[-1].parts[-3]) < VERSION_MIN:
        pytest.skip(f"no PostgreSQL {VERSION_MIN} or later in {SYSTEM}")
    monkeypatch.setenv("PG_BIN", str(found[-1].parent))
    with LocalPostgres(data_dir=tmp_path / "postgres", sync_new_files=False) as server:
        yield server


async def switch_tls_on(server: LocalPostgres, certs: Path) -> None:
    """Give the server the settings of the file's command but for the number of connections, and wait until it has them."""
    command = composed()["postgres"]["command"]
    settings = dict(word.split("=", 1) for word in command if "=" in word)
    assert settings.pop("max_connections")
    connection = await asyncpg.connect(server.admin_dsn)
    try:
        for name, value in settings.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{at_home(value, certs, 'postgres')}'")
        await connection.execute("SELECT pg_reload_conf()")
        await eventually(lambda: connection.fetchval("SHOW ssl"), lambda ssl: ssl == "on")
    finally:
        await connection.close()


async def test_the_services_sell_over_connections_that_are_all_by_tls(
    server: LocalPostgres, certs: Path, tmp_path: Path
) -> None:
    passwords = await asyncio.to_thread(provision, server)
    await switch_tls_on(server, certs)
    settings = {
        service: {name: at_home(value, certs, service) for name, value in composed()[service]["environment"].items()}
        for service in ("catalog", "customer", "order")
    }
    options = ShopOptions(settings=settings, log_of=lambda service: FileLog(tmp_path / f"{service}.log"))
    with LocalShop(server, passwords, options) as local:
        async with RecordShop(order=local.order_addr) as shop:
            order = await shop.create_order(JOHN_DOE, {WE_ARE_REACTIVE: 1})
        assert order.status == order_pb2.ORDER_STATUS_CONFIRMED
        connection = await asyncpg.connect(server.admin_dsn)
        try:
            rows = await connection.fetch(CONNECTIONS)
        finally:
            await connection.close()
    assert {row["usename"]: row["all_by_tls"] for row in rows} == dict.fromkeys(
        ("catalog_service", "customer_service", "order_service"), True
    )

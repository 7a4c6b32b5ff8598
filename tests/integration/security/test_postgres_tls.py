"""The services' connections to a PostgreSQL server that has TLS."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from local_shop.certs import CA_FILE, issue_pair, make_certs
from local_shop.ports import HOST
from service_runtime.database import DatabaseUnavailable, open_database
from service_runtime.settings import DatabaseSettings
from tests.conftest import ProvisionedPostgres

# From PostgreSQL's manual, 54.7: its length and its code.
SSL_REQUEST = struct.pack("!II", 8, 80877103)
CHUNK_SIZE = 65_536


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA and certificates; PostgreSQL's is for the names postgres and localhost, and for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certs")
    make_certs(folder)
    return folder


@asynccontextmanager
async def tls_in_front(postgres: ProvisionedPostgres, certs: Path, name: str) -> AsyncIterator[int]:
    """Speak TLS in front of the tests' PostgreSQL, whose build has none, with the certificate of this name; answer the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / f"{name}.pem", certs / f"{name}.key")
    handling: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_SIZE):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.start_tls(context)
            theirs, ours = await asyncio.open_connection(postgres.server.host, postgres.server.port)
            await asyncio.gather(pump(reader, ours), pump(theirs, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)


async def is_let_in(postgres: ProvisionedPostgres, port: int, mode: str, ca: Path | None) -> bool:
    """Tell whether the database is reached by these settings."""
    settings = DatabaseSettings(
        postgres_port=port,
        postgres_user="order_service",
        postgres_password=postgres.passwords["order_service"],
        postgres_db="orders",
        postgres_sslmode=mode,
        postgres_sslrootcert_file=ca,
    )
    async with open_database(settings) as database:
        try:
            await database.ping()
        except DatabaseUnavailable:
            return False
        return True


async def test_verify_full_takes_the_right_server_alone(
    postgres: ProvisionedPostgres, certs: Path, tmp_path: Path
) -> None:
    make_certs(tmp_path)
    async with tls_in_front(postgres, certs, "postgres") as port:
        assert await is_let_in(postgres, port, "verify-full", certs / CA_FILE)
        for mode in ("verify-full", "verify-ca"):
            assert not await is_let_in(postgres, port, mode, tmp_path / CA_FILE)


async def test_verify_full_refuses_a_server_of_another_name(postgres: ProvisionedPostgres, certs: Path) -> None:
    issue_pair(certs, certs, "elsewhere", names=["elsewhere.example"])
    async with tls_in_front(postgres, certs, "elsewhere") as port:
        assert await is_let_in(postgres, port, "verify-ca", certs / CA_FILE)
        assert not await is_let_in(postgres, port, "verify-full", certs / CA_FILE)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(
    postgres: ProvisionedPostgres, certs: Path, mode: str
) -> None:
    ca = certs / CA_FILE if mode != "require" else None
    assert not await is_let_in(postgres, postgres.server.port, mode, ca)
    assert await is_let_in(postgres, postgres.server.port, "prefer", None)

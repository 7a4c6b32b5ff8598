"""The pool of connections to a service's own database."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import structlog

from service_runtime import tracing
from service_runtime.errors import NotAccepted
from service_runtime.metrics import ServiceMetrics
from service_runtime.primary import CONNECT_FAULTS, Primary
from service_runtime.settings import DatabaseSettings

Answer = TypeVar("Answer")
Connection = asyncpg.pool.PoolConnectionProxy

DEADLOCK_RETRIES_MAX = 5
DEADLOCK_BACKOFF_S = 0.02
CLOSE_TIMEOUT_S = 5.0
# A connection whose statement was cancelled comes back when the server has confirmed that; a frozen server never does.
RELEASE_TIMEOUT_S = 2.0
# The only host has more time than one of several: there is no other to turn to.
SOLE_HOST_TIMEOUT_S = 2.0
# SQLSTATE classes that say "not now": connection, resources, operator intervention, rolled back, not in this state, read-only.
UNAVAILABLE_CLASSES = ("08", "53", "57", "40", "55", "25")
# Stronger than what the role or the server may have been told meanwhile: a service acknowledges nothing that could be lost.
SESSION = {"application_name": "recordshop", "synchronous_commit": "on"}
# Also true on a standby.
IS_READ_ONLY = "SELECT current_setting('transaction_read_only')::boolean"

log = structlog.get_logger(__name__)


class DatabaseUnavailable(NotAccepted):
    """The database does not answer right now: ask again."""


class DatabaseUnreachable(DatabaseUnavailable):
    """The database was not reached, so that nothing was asked of it: ask again."""


def is_rolled_back(error: DatabaseUnavailable) -> bool:
    """Whether PostgreSQL undid a transaction for a deadlock or a serialization failure, so that it can be tried again."""
    return isinstance(error.__cause__, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


class Database:
    """Connections to one database. Whatever keeps it from answering is DatabaseUnavailable; other SQL errors stay what they are."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        *,
        primary: Primary,
        acquire_timeout_s: float,
        metrics: ServiceMetrics | None = None,
    ) -> None:
        self._pool = pool
        self._primary = primary
        self._acquire_timeout_s = acquire_timeout_s
        self._acquire: Callable[[], Awaitable[Connection]] = self._acquire_in_time
        if metrics is not None:
            self._acquire = metrics.pool.timed(self._acquire_in_time)
            metrics.pool.opened(pool.get_max_size())
            metrics.samples.append(lambda: metrics.pool.sample(pool))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lends a connection; waits for a free one for acquire_timeout_s seconds at most, and then raises DatabaseUnreachable."""
        try:
            connection = await self._acquire()
        except CONNECT_FAULTS as error:
            raise DatabaseUnreachable from error
        try:
            yield tracing.traced_connection(connection)
        except (TimeoutError, asyncpg.ReadOnlySQLTransactionError) as error:
            self._primary.leave(type(error).__name__)
            raise DatabaseUnavailable from error
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise DatabaseUnavailable from error
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "").startswith(UNAVAILABLE_CLASSES):
                raise DatabaseUnavailable from error
            raise
        finally:
            await self._release(connection)

    async def _acquire_in_time(self) -> Connection:
        # Cheaper than the pool's own timeout, which makes a task of each wait.
        async with asyncio.timeout(self._acquire_timeout_s):
            return await self._pool.acquire()

    async def _release(self, connection: Connection) -> None:
        try:
            await self._pool.release(connection, timeout=RELEASE_TIMEOUT_S)
        except CONNECT_FAULTS:
            # The statement has its answer, or nobody waits for it; the pool has thrown the broken connection away by itself.
            log.warning("a connection broke on its way back")

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[Connection]:
        """Lends a connection inside a transaction (options as in asyncpg's `transaction`), committed at the end."""
        async with self.connection() as connection, connection.transaction(**options):
            yield connection

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Runs one statement and answers its rows."""
        async with self.connection() as connection:
            return await connection.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """Runs one statement and answers its first row."""
        async with self.connection() as connection:
            return await connection.fetchrow(sql, *arguments)

    async def run(self, operation: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        """Runs a write, and again if PostgreSQL rolled it back for a deadlock or a serialization failure, a limited number of times."""
        for attempt in range(1, DEADLOCK_RETRIES_MAX + 1):
            try:
                async with self.connection() as connection:
                    return await operation(connection)
            except DatabaseUnavailable as error:
                if not is_rolled_back(error):
                    raise
                log.warning("rolled back by the database", attempt=attempt)
            await asyncio.sleep(random.uniform(0, DEADLOCK_BACKOFF_S * attempt))  # noqa: S311 - jitter, not a secret.
        raise DatabaseUnavailable

    async def listen(self, channel: str, heard: Callable[[], object]) -> None:
        """Calls `heard` at each notification until the connection is lost; raises DatabaseUnavailable then. It keeps a connection busy."""
        async with self.connection() as connection:
            lost = asyncio.Event()

            def hear(*_: object) -> None:
                heard()

            def lose(_: object) -> None:
                lost.set()

            connection.add_termination_listener(lose)
            await connection.add_listener(channel, hear)
            try:
                await lost.wait()
            finally:
                if not connection.is_closed():
                    connection.remove_termination_listener(lose)
                    await connection.remove_listener(channel, hear)
            raise asyncpg.ConnectionDoesNotExistError

    async def ping(self) -> None:
        """Asks the database whether it takes writes; raises DatabaseUnavailable if it does not."""
        async with self.connection() as connection:
            if await connection.fetchval(IS_READ_ONLY):
                # As if a write had met it.
                raise asyncpg.ReadOnlySQLTransactionError


@asynccontextmanager
async def open_database(settings: DatabaseSettings, metrics: ServiceMetrics | None = None) -> AsyncIterator[Database]:
    """Opens the pool without asking the server, so that a service can start before its database does."""

    async def keep(_: Any) -> None:
        """A connection carries no session state from one use to the next, so that resetting it would be a wasted round trip."""

    hosts = settings.postgres_hosts
    host_timeout_s = settings.postgres_host_timeout_s if len(hosts) > 1 else SOLE_HOST_TIMEOUT_S
    primary = Primary(hosts, host_timeout_s=host_timeout_s)
    pool = asyncpg.create_pool(
        connect=primary.connect,
        user=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
        database=settings.postgres_db,
        min_size=0,
        max_size=settings.postgres_pool_size_max,
        reset=keep,
        command_timeout=settings.postgres_command_timeout_s,
        ssl=_ssl(settings),
        server_settings=SESSION | {"search_path": settings.postgres_schema},
    )
    await pool
    try:
        yield Database(pool, primary=primary, acquire_timeout_s=settings.postgres_acquire_timeout_s, metrics=metrics)
    finally:
        try:
            await asyncio.wait_for(pool.close(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            pool.terminate()


def _ssl(settings: DatabaseSettings) -> Any:
    """What asyncpg takes: how to verify the server, or the name of a mode that does not."""
    if not settings.postgres_sslmode.startswith("verify"):
        return settings.postgres_sslmode
    context = ssl.create_default_context(cafile=settings.postgres_sslrootcert_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = settings.postgres_sslmode == "verify-full"
    return context

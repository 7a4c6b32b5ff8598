"""Finds, among several PostgreSQL servers, the one that takes writes."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakSet

import asyncpg
import structlog
from asyncpg.connect_utils import SessionAttribute

from service_runtime.postgres_hosts import PostgresHost

# What keeps a server from being used. A standby that is passed over is an InternalClientError.
CONNECT_FAULTS = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError)

log = structlog.get_logger(__name__)


class NoPrimary(ConnectionError):
    """None of the servers was reached that takes writes."""


class Primary:
    """Connects to the server that takes writes, wherever that is now.

    Each server has `host_timeout_s` of its own. asyncpg's timeout covers all servers of a list together, so that one that is frozen
    would use up the time of all others.
    """

    def __init__(self, hosts: Sequence[PostgresHost], *, host_timeout_s: float) -> None:
        # The last good one first, as all before it had failed and were put last.
        self._in_order = list(hosts)
        self._host_timeout_s = host_timeout_s
        self._found: PostgresHost | None = None
        self._connections: WeakSet[asyncpg.Connection[asyncpg.Record]] = WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> Any:
        """Connects, with asyncpg's arguments, to the first server that takes writes; raises NoPrimary if there is none now."""
        faults: dict[str, str] = {}
        for host in tuple(self._in_order):
            try:
                connection = await asyncpg.connect(
                    *arguments,
                    host=host.host,
                    port=host.port,
                    timeout=self._host_timeout_s,
                    target_session_attrs=SessionAttribute.read_write,
                    **options,
                )
            except asyncio.CancelledError:
                # The caller's patience has ended: the next one begins with another server.
                self._put_last(host)
                raise
            except CONNECT_FAULTS as error:
                self._put_last(host)
                faults[f"{host.host}:{host.port}"] = type(error).__name__
                continue
            self._note_found(host)
            self._connections.add(connection)
            return connection
        self._note_lost(faults)
        raise NoPrimary

    def leave(self, fault: str) -> None:
        """Gives up all connections, those in use too: their server is frozen, or takes no writes any more.

        The next ones look for the primary anew, and there last: a primary that was replaced without knowing it still lets everybody in.
        A pool by itself would find out for each of its connections one after the other.
        """
        log.warning("left the database's server", fault=fault)
        if self._found is not None:
            self._put_last(self._found)
        for connection in tuple(self._connections):
            connection.terminate()
        self._connections.clear()

    def _put_last(self, host: PostgresHost) -> None:
        self._in_order.remove(host)
        self._in_order.append(host)

    def _note_found(self, host: PostgresHost) -> None:
        if host != self._found:
            log.info("connected to the primary", host=host.host, port=host.port)
            self._found = host

    def _note_lost(self, faults: Mapping[str, str]) -> None:
        """Says so once, not at every call that has to be refused for it."""
        if self._found is not None:
            log.warning("no server takes writes", faults=faults)
            self._found = None

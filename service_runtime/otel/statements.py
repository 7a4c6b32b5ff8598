"""Spans of SQL statements."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import asyncpg
from opentelemetry.trace import SpanKind

from service_runtime.otel.spans import OtelSpan, Spans

SUMMARIES_KEPT_MAX = 256
SUMMARY_STEPS_MAX = 4
SUMMARY_LENGTH_MAX = 40
COMMENT = re.compile(r"--[^\n]*")
# In `ON CONFLICT ... DO UPDATE SET` and in `FOR UPDATE` the word stands for something else.
WRITE = re.compile(r"\b(INSERT INTO|(?<!FOR )(?<!KEY )UPDATE(?! SET)|DELETE FROM) ([a-z_.]+)")
READ = re.compile(r"(?<!DISTINCT )\b(?:FROM|JOIN) ([a-z_.]++)(?! ?\()")
FUNCTION = re.compile(r"\b(?:FROM|SELECT) ([a-z_.]+) ?\(")
NAMED = re.compile(r"\bWITH (?:RECURSIVE )?([a-z_]+)|\), ([a-z_]+) (?:\([^)]*\) )?AS ")


class TracedConnection:
    """A connection that was lent to a call that is traced: each of its statements is a span, with its text, and without its arguments.

    Where a statement runs for a call that is not traced, there is no such object; so it needs no switch of its own, as asyncpg's
    instrumentation would.
    """

    def __init__(self, connection: Any, *, spans: Spans, parent: OtelSpan) -> None:
        self._connection = connection
        self._spans = spans
        self._parent = parent

    def __getattr__(self, name: str) -> Any:
        """All else is the connection's own."""
        return getattr(self._connection, name)

    async def fetch(self, query: str, *arguments: object, **options: Any) -> Any:
        """Runs a statement and answers its rows."""
        return await self._traced(query, self._connection.fetch, query, *arguments, **options)

    async def fetchrow(self, query: str, *arguments: object, **options: Any) -> Any:
        """Runs a statement and answers its first row."""
        return await self._traced(query, self._connection.fetchrow, query, *arguments, **options)

    async def fetchval(self, query: str, *arguments: object, **options: Any) -> Any:
        """Runs a statement and answers one value."""
        return await self._traced(query, self._connection.fetchval, query, *arguments, **options)

    async def execute(self, query: str, *arguments: object, **options: Any) -> Any:
        """Runs a statement."""
        return await self._traced(query, self._connection.execute, query, *arguments, **options)

    async def copy_records_to_table(self, table: str, **options: Any) -> Any:
        """Copies rows into a table."""
        return await self._traced(f"COPY {table}", self._connection.copy_records_to_table, table, **options)

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[None]:
        """A transaction. Its end is a span too: the commit is what waits for the disk."""
        transaction = self._connection.transaction(**options)
        await self._traced("BEGIN", transaction.start)
        try:
            yield
        except BaseException:
            await self._traced("ROLLBACK", transaction.rollback)
            raise
        await self._traced("COMMIT", transaction.commit)

    async def _traced(self, query: str, run: Callable[..., Awaitable[Any]], *arguments: object, **options: Any) -> Any:
        summary = summary_of(query)
        attributes = {
            "db.system.name": "postgresql",
            "db.query.summary": summary,
            "db.query.text": query.strip(),
        }
        span = self._spans.start(summary, SpanKind.CLIENT, parent=self._parent.context, attributes=attributes)
        with self._spans.step(span):
            try:
                return await run(*arguments, **options)
            except asyncpg.PostgresError as error:
                span.set("db.response.status_code", error.sqlstate or "")
                raise


@lru_cache(maxsize=SUMMARIES_KEPT_MAX)
def summary_of(query: str) -> str:
    """Says in a few words what a statement does: `INSERT orders, INSERT open_work`."""
    text = " ".join(COMMENT.sub("", query).split())
    named = {name for found in NAMED.findall(text) for name in found}
    told = (
        [f"{words.split()[0]} {table}" for words, table in WRITE.findall(text)]
        or [f"SELECT {table}" for table in READ.findall(text) if table not in named]
        or [f"SELECT {function}" for function in FUNCTION.findall(text) if function != "unnest"]
    )
    return ", ".join(list(dict.fromkeys(told))[:SUMMARY_STEPS_MAX]) or text[:SUMMARY_LENGTH_MAX]

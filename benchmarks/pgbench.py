"""What the database itself reaches on a hot row, as its own benchmark has it."""

import re
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from benchmarks.errors import BenchmarkFailed
from benchmarks.load import Load, run_program
from local_shop.cluster import SUPERUSER, plain_environment
from local_shop.postgres import LocalPostgres
from local_shop.provision import run_sql

DATABASE = "pgbench"
THREADS = 2
CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 60.0
TIMEOUT_S = 300.0
STOCK = 1_000_000_000

# The row and its table are kept as the shop keeps its discs.
TABLES = f"""
CREATE TABLE discs (id integer PRIMARY KEY, stock bigint NOT NULL CHECK (stock >= 0)) WITH (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0
);
CREATE TABLE orders (id uuid PRIMARY KEY, disc_id integer NOT NULL, quantity integer NOT NULL);
INSERT INTO discs VALUES (1, {STOCK});
"""  # noqa: S608 - put together from constants.
TRANSACTION = """
BEGIN;
UPDATE discs SET stock = stock - 1 WHERE id = 1 AND stock >= 1 RETURNING stock;
INSERT INTO orders (id, disc_id, quantity) VALUES (gen_random_uuid(), 1, 1);
COMMIT;
"""


class Pgbench:
    """pgbench with two statements in a transaction: take a copy, write the order down."""

    def __init__(self, server: LocalPostgres, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._script = folder / "pgbench.sql"

    async def prepare(self) -> None:
        """Make the database, its tables and the script."""
        run_sql(self._server, f"CREATE DATABASE {DATABASE}")
        connection = await self._connect()
        try:
            await connection.execute(TABLES)
        finally:
            await connection.close()
        self._script.write_text(TRANSACTION, encoding="utf-8")

    async def taken_and_written(self) -> tuple[int, int]:
        """Count the copies that were taken so far, and the orders."""
        connection = await self._connect()
        try:
            [row] = await connection.fetch(f"SELECT {STOCK} - stock, (SELECT count(*) FROM orders) FROM discs")  # noqa: S608
        finally:
            await connection.close()
        return row[0], row[1]

    async def run(self, *, clients: int, calls: int) -> Load:
        """Run so many transactions, shared among the clients; BenchmarkFailed if pgbench does not say what became of them.

        Not for so many seconds: pgbench counts the time in which its clients connect among them.
        """
        printed = await run_program(
            [
                *(self._server.bin / "pgbench", "--no-vacuum", "--protocol", "prepared", "--file", self._script),
                *(
                    "--client",
                    str(clients),
                    "--jobs",
                    str(min(THREADS, clients)),
                    "--transactions",
                    str(calls // clients),
                ),
                *("--log", "--log-prefix", self._folder / "pgbench_log"),
                *("--host", self._server.host, "--port", str(self._server.port), "--username", SUPERUSER, DATABASE),
            ],
            timeout_s=TIMEOUT_S,
            environment=plain_environment() | {"PGPASSWORD": self._server.admin_password},
        )
        logs = list(self._folder.glob("pgbench_log.*"))
        try:
            return read_output(printed, [line for log in logs for line in log.read_text(encoding="utf-8").splitlines()])
        finally:
            for log in logs:
                log.unlink()

    async def _connect(self) -> asyncpg.Connection:
        dsn = self._server.dsn(DATABASE, SUPERUSER, self._server.admin_password)
        return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)


def read_output(printed: str, log: Sequence[str]) -> Load:
    """Read pgbench's summary, and its log for latencies: in microseconds, the third column."""
    processed = re.search(r"^number of transactions actually processed: (\d+)", printed, re.MULTILINE)
    rate = re.search(r"^tps = ([\d.]+) \(without initial connection time\)", printed, re.MULTILINE)
    if processed is None or rate is None or float(rate[1]) <= 0:
        raise BenchmarkFailed(f"pgbench does not say what it did:\n{printed}")
    answered = int(processed[1])
    return Load(answered, answered / float(rate[1]), [int(line.split()[2]) / 1_000 for line in log])

"""How far a standby is behind, as the role of db/monitor.sql tells Prometheus, which a service's role may not see."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from local_shop.cluster import SUPERUSER, plain_environment
from local_shop.ports import HOST, free_port
from local_shop.postgres import LocalPostgres
from local_shop.provision import DATABASES, DB_DIR, provision
from local_shop.scrape import Scrape
from tests.faults.waiting import eventually
from tests.support.debian_server import debian_program, running
from tests.support.observability import alert_rules
from tests.support.promql import metrics_of
from tests.support.standby import frozen, standby_of

PASSWORD = "only-for-tests"
TIMEOUT_S = 30.0
MIB = 1024 * 1024
[LAG] = [name for rule in alert_rules() if rule["alert"] == "ReplicationLag" for name in metrics_of(rule["expr"])]
WRITE_WAL = "SELECT count(pg_logical_emit_message(true, 'test', repeat('x', 1024 * 1024))) FROM generate_series(1, 4)"
SEEN_LAG = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) FROM pg_stat_replication"


@dataclass(frozen=True)
class Replicated:
    """A server with the shop's roles and the monitor's, and its standby."""

    primary: LocalPostgres
    standby: LocalPostgres
    passwords: dict[str, str]


def make_monitor(server: LocalPostgres, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run db/monitor.sql as compose does."""
    address = {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": SUPERUSER, "PGDATABASE": "postgres"}
    return subprocess.run(
        [server.bin / "psql", "--no-psqlrc", "--quiet", f"--file={DB_DIR / 'monitor.sql'}"],
        env=plain_environment() | address | {"PGPASSWORD": server.admin_password} | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    """A primary and a standby of this module's own."""
    folder = tmp_path_factory.mktemp("replicated")
    with LocalPostgres(data_dir=folder / "primary", sync_new_files=False) as primary:
        passwords = provision(primary, seed=False)
        # As often as one likes.
        for _ in range(2):
            assert make_monitor(primary, MONITOR_PASSWORD=PASSWORD).returncode == 0
        with standby_of(primary, folder / "standby") as standby:
            yield Replicated(primary, standby, passwords)


async def value(dsn: str, query: str) -> object:
    """Ask for one value."""
    connection = await asyncpg.connect(dsn, timeout=TIMEOUT_S)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_prometheus_learns_how_far_a_standby_is_behind(replicated: Replicated, tmp_path: Path) -> None:
    program = debian_program("prometheus-postgres-exporter", package="prometheus-postgres-exporter")
    address = f"{HOST}:{free_port()}"
    environment = {
        "DATA_SOURCE_URI": f"{replicated.primary.host}:{replicated.primary.port}/postgres?sslmode=disable",
        "DATA_SOURCE_USER": "monitor",
        "DATA_SOURCE_PASS": PASSWORD,
    }
    command = [program, f"--web.listen-address={address}"]
    url = f"http://{address}/metrics"

    async def standbys() -> list[tuple[str, float]]:
        samples = (await asyncio.to_thread(Scrape.read, url)).samples.get(LAG, [])
        return [(labels["application_name"], lag) for labels, lag in samples]

    with running(command, folder=tmp_path, url=url, environment=environment):
        [(name, _)] = await eventually(standbys, bool)
        assert name
        with frozen(replicated.standby):
            await value(replicated.primary.admin_dsn, WRITE_WAL)
            [(again, behind)] = await standbys()
            assert again == name
            assert 4 * MIB <= behind < 64 * MIB
        await eventually(standbys, lambda found: [lag for _, lag in found] == [0.0])


async def test_the_monitor_sees_what_a_services_role_does_not_and_no_table_of_the_shops(replicated: Replicated) -> None:
    primary = replicated.primary
    assert await value(primary.dsn("postgres", "monitor", PASSWORD), SEEN_LAG) is not None
    for target in DATABASES:
        service = primary.dsn(target.database, target.role, replicated.passwords[target.role])
        assert await value(service, SEEN_LAG) is None
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(primary.dsn(target.database, "monitor", PASSWORD), timeout=TIMEOUT_S)


async def test_without_a_password_there_is_no_monitor(replicated: Replicated) -> None:
    failed = make_monitor(replicated.primary)
    assert failed.returncode != 0
    assert "MONITOR_PASSWORD" in failed.stderr
    assert await value(replicated.primary.dsn("postgres", "monitor", PASSWORD), "SELECT 1") == 1

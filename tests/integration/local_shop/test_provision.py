"""Roles, migrations and seeds: applied as often as one likes, and closed to everybody whom they do not concern."""

import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import asyncpg
import pytest

from local_shop.cluster import plain_environment
from local_shop.errors import ProvisioningFailed
from local_shop.postgres import LocalPostgres
from local_shop.provision import DATABASES, DB_DIR, SECRETS_FILE, ServiceDatabase, provision

MIGRATION = """-- migrate:up
CREATE TABLE notes (id integer PRIMARY KEY);
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT ON notes TO {role};
-- migrate:down
DROP TABLE notes;
"""
SEED = "INSERT INTO notes VALUES (1), (2) ON CONFLICT DO NOTHING;\n"
ALL_PASSWORDS = [f"{role.upper()}_PASSWORD" for target in DATABASES for role in (target.owner, target.role)]
ATTRIBUTES = """
SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = $1
"""


@dataclass(frozen=True)
class ProvisionedServer:
    """A server with the shop's roles and databases, and small migrations and seeds of the tests' own."""

    server: LocalPostgres
    db_dir: Path
    passwords: dict[str, str]

    async def connect(self, target: ServiceDatabase, role: str, database: str | None = None) -> asyncpg.Connection:
        dsn = self.server.dsn(database or target.database, role, self.passwords[role])
        return await asyncpg.connect(dsn, timeout=5)


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvisionedServer]:
    folder = tmp_path_factory.mktemp("provisioned")
    db_dir = folder / "db"
    (db_dir / "seed").mkdir(parents=True)
    shutil.copy(DB_DIR / "roles.sql", db_dir)
    for target in DATABASES:
        migrations = db_dir / target.service
        migrations.mkdir()
        (migrations / "0001_notes.sql").write_text(MIGRATION.format(role=target.role))
        (db_dir / "seed" / f"{target.service}.sql").write_text(SEED)
    with LocalPostgres(data_dir=folder / "postgres", sync_new_files=False) as server:
        yield ProvisionedServer(server, db_dir, provision(server, db_dir=db_dir))


def run_roles(server: LocalPostgres, script: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    address = ["-h", server.host, "-p", str(server.port), "-U", "postgres", "-d", "postgres"]
    environment = plain_environment() | {"PGPASSWORD": server.admin_password} | environment
    command: list[str | Path] = [server.bin / "psql", "-X", "-w", *address, "-v", "ON_ERROR_STOP=1", "-f", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


async def test_provisioning_again_changes_nothing(provisioned: ProvisionedServer) -> None:
    assert provision(provisioned.server, db_dir=provisioned.db_dir) == provisioned.passwords
    for target in DATABASES:
        connection = await provisioned.connect(target, target.role)
        assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM notes") == [1, 2]
        await connection.close()


def test_the_passwords_are_kept_where_only_their_owner_reads_them(provisioned: ProvisionedServer) -> None:
    secrets_file = provisioned.server.data_dir.with_name(SECRETS_FILE)
    assert stat.S_IMODE(secrets_file.stat().st_mode) == 0o600
    assert len(set(provisioned.passwords.values())) == 6


async def test_a_new_role_can_connect_nowhere(provisioned: ProvisionedServer) -> None:
    admin = await asyncpg.connect(provisioned.server.admin_dsn, timeout=5)
    await admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'guest'")
    open_databases = await admin.fetch("SELECT datname FROM pg_database WHERE datallowconn")
    try:
        assert {row["datname"] for row in open_databases} == {"postgres", "template1", "catalog", "customer", "orders"}
        for row in open_databases:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
                await asyncpg.connect(provisioned.server.dsn(row["datname"], "stranger", "guest"), timeout=5)
    finally:
        await admin.execute("DROP ROLE stranger")
        await admin.close()


@pytest.mark.parametrize(("guest", "host"), list(permutations(DATABASES, 2)), ids=lambda target: target.service)
async def test_no_role_of_one_service_can_connect_to_anothers_database(
    provisioned: ProvisionedServer, guest: ServiceDatabase, host: ServiceDatabase
) -> None:
    for role in (guest.role, guest.owner):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
            await provisioned.connect(guest, role, host.database)


@pytest.mark.parametrize("target", DATABASES, ids=lambda target: target.service)
async def test_a_service_role_can_do_only_what_its_migrations_grant(
    provisioned: ProvisionedServer, target: ServiceDatabase
) -> None:
    connection = await provisioned.connect(target, target.role)
    try:
        for refused in (
            "CREATE TABLE own (id integer)",
            "CREATE TEMPORARY TABLE own (id integer)",
            "CREATE SCHEMA own",
            "INSERT INTO notes VALUES (3)",
            "DROP TABLE notes",
            f"SET ROLE {target.owner}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(refused)
        assert await connection.fetchval(ATTRIBUTES, target.role) is False
        assert await connection.fetchval(ATTRIBUTES, target.owner) is False
    finally:
        await connection.close()


@pytest.mark.parametrize("target", DATABASES, ids=lambda target: target.service)
async def test_service_roles_have_timeouts_and_owners_have_none(
    provisioned: ProvisionedServer, target: ServiceDatabase
) -> None:
    for role, expected in ((target.role, ["5s", "2s", "10s"]), (target.owner, ["0", "0", "0"])):
        connection = await provisioned.connect(target, role)
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        assert [await connection.fetchval(f"SHOW {name}") for name in names] == expected
        await connection.close()


@pytest.mark.parametrize("given", [{}, dict.fromkeys(ALL_PASSWORDS, "")], ids=["unset", "empty"])
def test_roles_without_their_passwords_are_refused_by_name(
    provisioned: ProvisionedServer, given: dict[str, str]
) -> None:
    answer = run_roles(provisioned.server, provisioned.db_dir / "roles.sql", given)
    assert answer.returncode != 0
    assert all(name in answer.stderr for name in ALL_PASSWORDS)


async def test_no_password_is_written_to_the_servers_log(provisioned: ProvisionedServer) -> None:
    log = provisioned.server.log_file.read_text()
    assert not [role for role, password in provisioned.passwords.items() if password in log]


def test_a_faulty_migration_is_told_in_the_tools_words(provisioned: ProvisionedServer) -> None:
    faulty = provisioned.db_dir / "order" / "0002_faulty.sql"
    faulty.write_text("-- migrate:up\nCREATE TABLE lines (id no_such_type);\n-- migrate:down\n")
    try:
        with pytest.raises(ProvisioningFailed, match="no_such_type"):
            provision(provisioned.server, db_dir=provisioned.db_dir)
    finally:
        faulty.unlink()

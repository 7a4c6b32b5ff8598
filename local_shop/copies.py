"""Copies of the shop's databases, made in a moment: a shop of its own for whoever wants to break one."""

from collections.abc import Mapping

from local_shop.postgres import LocalPostgres
from local_shop.provision import DATABASES, ServiceDatabase, run_sql

TEMPLATE = "template"


def make_templates(server: LocalPostgres) -> None:
    """Keep the databases of a provisioned server, to which nobody is connected yet, as they are now, for `copy_databases`."""
    for target in DATABASES:
        run_sql(
            server,
            f"CREATE DATABASE {_name(target, TEMPLATE)} TEMPLATE {target.database} OWNER {target.owner}",
            f"ALTER DATABASE {_name(target, TEMPLATE)} ALLOW_CONNECTIONS false",
        )


def copy_databases(server: LocalPostgres, suffix: str) -> dict[str, str]:
    """Make a copy of each template, and return the copies' names by service."""
    for target in DATABASES:
        copy = _name(target, suffix)
        run_sql(
            server,
            f"CREATE DATABASE {copy} TEMPLATE {_name(target, TEMPLATE)} OWNER {target.owner}",
            # Who may connect is not copied: as in db/roles.sql, nobody but the service and the owner.
            f"REVOKE ALL ON DATABASE {copy} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {copy} TO {target.role}",
        )
    return {target.service: _name(target, suffix) for target in DATABASES}


def drop_databases(server: LocalPostgres, copies: Mapping[str, str]) -> None:
    """Drop copies, whoever is still connected."""
    run_sql(server, *(f"DROP DATABASE {name} WITH (FORCE)" for name in copies.values()))


def _name(target: ServiceDatabase, suffix: str) -> str:
    return f"{target.database}_{suffix}"

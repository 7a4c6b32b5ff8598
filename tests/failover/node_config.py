"""Patroni's settings; docs/operations.md says what they are for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_shop.ports import HOST

SCOPE = "record-shop"
# Patroni asks that loop_wait + 2 * retry_timeout fit into ttl.
TTL_S, LOOP_WAIT_S, RETRY_TIMEOUT_S = 20, 2, 5
LAG_MAX_BYTES = 1024 * 1024
# Patroni's names of them; the same on all nodes.
USERS = {"superuser": "postgres", "replication": "replicator", "rewind": "rewinder"}


def shared_settings(*, synchronous: bool) -> dict[str, Any]:
    """Return what holds for all nodes, kept in etcd."""
    return {
        "ttl": TTL_S,
        "loop_wait": LOOP_WAIT_S,
        "retry_timeout": RETRY_TIMEOUT_S,
        "maximum_lag_on_failover": LAG_MAX_BYTES,
        "synchronous_mode": synchronous,
        "synchronous_mode_strict": synchronous,
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": {
                "max_connections": 200,
                "wal_level": "replica",
                "wal_keep_size": "256MB",
                # How soon a standby asks again for a primary that is back; until then nothing is acknowledged.
                "wal_retrieve_retry_interval": "1s",
                "synchronous_commit": "on",
                "fsync": "on",
                "full_page_writes": "on",
                "shared_buffers": "128MB",
                "jit": "off",
                "timezone": "UTC",
            },
        },
    }


def node_settings(
    *,
    name: str,
    data_dir: Path,
    bin_dir: Path,
    port: int,
    rest_port: int,
    etcd_port: int,
    passwords: Mapping[str, str],
    synchronous: bool,
) -> dict[str, Any]:
    """Return one node's settings: its file's content, in the part of YAML that is JSON."""
    users = {kind: {"username": user, "password": passwords[kind]} for kind, user in USERS.items()}
    return {
        "scope": SCOPE,
        "name": name,
        "log": {"level": "INFO"},
        "restapi": {"listen": f"{HOST}:{rest_port}", "connect_address": f"{HOST}:{rest_port}"},
        "etcd3": {"host": f"{HOST}:{etcd_port}"},
        "bootstrap": {
            "dcs": shared_settings(synchronous=synchronous),
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, {"auth": "scram-sha-256"}, "no-sync"],
        },
        "postgresql": {
            "listen": f"{HOST}:{port}",
            "connect_address": f"{HOST}:{port}",
            "data_dir": str(data_dir),
            "bin_dir": str(bin_dir),
            "pgpass": str(data_dir.with_name(f"{name}.pgpass")),
            "authentication": users,
            "pg_hba": [
                f"host replication {USERS['replication']} {HOST}/32 scram-sha-256",
                f"host all all {HOST}/32 scram-sha-256",
            ],
            # Nobody needs a Unix socket, and a deep folder's name would not fit into its address.
            "parameters": {"unix_socket_directories": "", "listen_addresses": HOST},
        },
        "watchdog": {"mode": "off"},
    }

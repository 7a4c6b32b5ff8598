"""A hot standby of a LocalPostgres, and a server that is frozen."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_shop.cluster import SUPERUSER, plain_environment
from local_shop.listening import children
from local_shop.postgres import LocalPostgres

BACKUP_TIMEOUT_S = 60.0


@contextmanager
def standby_of(primary: LocalPostgres, data_dir: Path) -> Iterator[LocalPostgres]:
    """Run a standby that follows `primary`; it has its passwords."""
    backup = [
        *(
            primary.bin / "pg_basebackup",
            "--pgdata",
            data_dir,
            "--checkpoint",
            "fast",
            "--write-recovery-conf",
            "--no-sync",
        ),
        *("--host", primary.host, "--port", str(primary.port), "--username", SUPERUSER, "--no-password"),
    ]
    environment = plain_environment() | {"PGPASSWORD": primary.admin_password}
    subprocess.run(backup, env=environment, check=True, capture_output=True, timeout=BACKUP_TIMEOUT_S)
    with LocalPostgres(data_dir=data_dir, sync_new_files=False) as standby:
        yield standby


@contextmanager
def frozen(server: LocalPostgres) -> Iterator[None]:
    """Freeze a server with all its processes; its connections stay open, and new ones are taken and never answered."""
    pids = [server.pid]
    try:
        # First the one that starts the others, so that none is missed.
        os.kill(server.pid, signal.SIGSTOP)
        for child in children(server.pid):
            os.kill(child, signal.SIGSTOP)
            pids.append(child)
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)

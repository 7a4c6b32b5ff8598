"""The files of a PostgreSQL cluster: made once, whole or not at all, and what can be read from them."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from local_shop.account import Account
from local_shop.binaries import major_version
from local_shop.errors import DataFolderUnusable, PostgresFailed
from local_shop.private_files import write_private

SUPERUSER = "postgres"
PASSWORD_FILE = "superuser_password"  # noqa: S105 -- a file's name
PASSWORD_BYTES = 24
INITDB_TIMEOUT_S = 60.0
PID_FILE_STATUS_LINE = 7


def ensure_cluster(data_dir: Path, bin_dir: Path, account: Account, *, sync: bool) -> None:
    """Make the cluster unless it is there; DataFolderUnusable if something else is, or a cluster of another version.

    `sync=False` leaves the new files to the system's cache, which saves time where a power cut does not matter.
    """
    if not data_dir.exists() or not any(data_dir.iterdir()):
        _make_cluster(data_dir, bin_dir, account, sync=sync)
        return
    version_file = data_dir / "PG_VERSION"
    if not version_file.exists() or not (data_dir / PASSWORD_FILE).exists():
        raise DataFolderUnusable(f"{data_dir} holds something else than a cluster of the local shop's.")
    made_by, version = version_file.read_text().strip(), str(major_version(bin_dir))
    if made_by != version:
        raise DataFolderUnusable(
            f"{data_dir} was made by PostgreSQL {made_by} and cannot be run by {version} from {bin_dir}. "
            f"Set PG_BIN to a PostgreSQL {made_by}, or move the folder away to begin anew."
        )
    account.own(data_dir)


def superuser_password(data_dir: Path) -> str:
    """Return the superuser's password, as it was made together with the cluster."""
    return (data_dir / PASSWORD_FILE).read_text()


def postmaster_pid(data_dir: Path) -> int | None:
    """Return the process id that the cluster's lock file names, or None if there is no such file."""
    lines = _pid_file_lines(data_dir)
    return int(lines[0]) if lines else None


def is_ready(data_dir: Path, pid: int) -> bool:
    """Tell whether the server with this process id takes connections."""
    lines = _pid_file_lines(data_dir)
    return len(lines) > PID_FILE_STATUS_LINE and lines[0] == str(pid) and lines[PID_FILE_STATUS_LINE].strip() == "ready"


def plain_environment() -> dict[str, str]:
    """Return this process' environment without libpq's variables, which would lead the tools to another server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _pid_file_lines(data_dir: Path) -> list[str]:
    try:
        return (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _make_cluster(data_dir: Path, bin_dir: Path, account: Account, *, sync: bool) -> None:
    # Made beside its place and moved there when whole: a run that was killed midway leaves nothing to trip over.
    workshop = data_dir.with_name(f"{data_dir.name}.unfinished")
    if workshop.exists():
        shutil.rmtree(workshop)
    workshop.mkdir(mode=0o700)
    password_file, unfinished = workshop / PASSWORD_FILE, workshop / "data"
    write_private(password_file, secrets.token_urlsafe(PASSWORD_BYTES))
    account.own(workshop)
    _run_initdb(unfinished, password_file, bin_dir, account, sync=sync)
    password_file.rename(unfinished / PASSWORD_FILE)
    unfinished.rename(data_dir)
    workshop.rmdir()


def _run_initdb(folder: Path, password_file: Path, bin_dir: Path, account: Account, *, sync: bool) -> None:
    initdb = [
        *(bin_dir / "initdb", "--pgdata", folder),
        *("--username", SUPERUSER, "--pwfile", password_file, "--auth", "scram-sha-256"),
        *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"),
        *(() if sync else ("--no-sync",)),
    ]
    try:
        answer = subprocess.run(
            account.command(folder.parent, initdb),
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INITDB_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PostgresFailed(f"initdb did not end within {INITDB_TIMEOUT_S:.0f} s.") from error
    if answer.returncode != 0:
        raise PostgresFailed(f"initdb failed:\n{answer.stdout}{answer.stderr}")

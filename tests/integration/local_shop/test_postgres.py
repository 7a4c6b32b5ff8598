"""The supervised server: durable, ended with its supervisor, and clear about why it does not start."""

import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import asyncpg
import pytest

from local_shop import account, cluster, postgres
from local_shop.binaries import find_binaries
from local_shop.errors import DataFolderInUse, DataFolderUnusable, LocalShopError, PortTaken, PostgresNotFound
from local_shop.ports import free_port
from local_shop.postgres import LocalPostgres
from local_shop.provision import DB_DIR

END_TIMEOUT_S = 15.0
SUPERVISOR = """
import sys
from pathlib import Path
from local_shop.postgres import LocalPostgres
with LocalPostgres(data_dir=Path(sys.argv[1]), sync_new_files=False) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "shop" / "postgres"


@pytest.fixture
def server(data_dir: Path) -> Iterator[LocalPostgres]:
    """A server that the test may stop and start as it likes."""
    with LocalPostgres(data_dir=data_dir, sync_new_files=False) as running:
        yield running


async def fetch(server: LocalPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.admin_dsn, timeout=5)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@contextmanager
def killed_supervisor(data_dir: Path) -> Iterator[int]:
    """Start a server in a process that is killed a moment later; the value polls as readable once the server ended."""
    command = [sys.executable, "-c", SUPERVISOR, str(data_dir)]
    with subprocess.Popen(command, cwd=DB_DIR.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        server = os.pidfd_open(int(supervisor.stdout.readline()))
        supervisor.kill()
        supervisor.wait(END_TIMEOUT_S)
    try:
        yield server
    finally:
        # Nothing is left running even where the promise under test is broken.
        if not has_ended(server, 0):
            signal.pidfd_send_signal(server, signal.SIGQUIT)
        os.close(server)


def has_ended(process: int, timeout_s: float) -> bool:
    return bool(select.select([process], [], [], timeout_s)[0])


async def test_it_answers_with_durability_on(server: LocalPostgres) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await fetch(server, f"SHOW {setting}") == "on"
    assert await fetch(server, "SHOW server_encoding") == "UTF8"
    assert await fetch(server, "SELECT datcollate FROM pg_database WHERE datname = 'template1'") == "C.UTF-8"


async def test_it_listens_on_loopback_alone_and_wants_the_password(server: LocalPostgres) -> None:
    assert await fetch(server, "SHOW listen_addresses") == "127.0.0.1"
    assert await fetch(server, "SHOW unix_socket_directories") == ""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn("postgres", "postgres", "a guess"), timeout=5)
    assert stat.S_IMODE((server.data_dir / cluster.PASSWORD_FILE).stat().st_mode) == 0o600


def test_killing_its_supervisor_ends_it(data_dir: Path) -> None:
    with killed_supervisor(data_dir) as server:
        assert has_ended(server, END_TIMEOUT_S)
    assert cluster.postmaster_pid(data_dir) is None


async def test_a_start_right_after_a_killed_supervisor_waits_for_its_server_to_end(data_dir: Path) -> None:
    with killed_supervisor(data_dir) as server, LocalPostgres(data_dir=data_dir) as successor:
        assert has_ended(server, 0)
        assert await fetch(successor, "SELECT 1") == 1


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_stopping_and_starting_keeps_data_and_port(
    server: LocalPostgres, mode: Literal["fast", "immediate"]
) -> None:
    port = server.port
    await fetch(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.stop(mode)
    server.start()
    assert await fetch(server, "SELECT n FROM kept") == 7
    assert server.port == port


async def test_it_starts_again_after_its_server_was_killed(server: LocalPostgres) -> None:
    process = os.pidfd_open(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    assert has_ended(process, END_TIMEOUT_S)
    os.close(process)
    server.stop()
    server.start()
    assert await fetch(server, "SELECT 1") == 1


async def test_a_lock_file_left_by_a_crash_does_not_keep_it_from_starting(server: LocalPostgres) -> None:
    left_behind = (server.data_dir / "postmaster.pid").read_text()
    server.stop()
    (server.data_dir / "postmaster.pid").write_text(left_behind)
    server.start()
    assert await fetch(server, "SELECT 1") == 1


def test_a_data_folder_in_use_is_a_clear_error(server: LocalPostgres) -> None:
    with pytest.raises(DataFolderInUse, match="Another process runs PostgreSQL on"):
        LocalPostgres(data_dir=server.data_dir).start()


def test_a_server_that_others_started_on_the_data_folder_is_a_clear_error(
    server: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_shop.postgres.PREDECESSOR_TIMEOUT_S", 0.01)
    server.data_dir.with_name(f"{server.data_dir.name}.lock").unlink()
    with pytest.raises(DataFolderInUse, match="Another PostgreSQL runs on"):
        LocalPostgres(data_dir=server.data_dir).start()


def test_a_folder_with_something_else_in_it_is_left_alone(data_dir: Path) -> None:
    data_dir.mkdir(parents=True)
    (data_dir / "letter.txt").write_text("keep me")
    with pytest.raises(DataFolderUnusable, match="holds something else"):
        LocalPostgres(data_dir=data_dir).start()
    assert (data_dir / "letter.txt").read_text() == "keep me"


def test_a_fixed_port_that_is_taken_is_a_clear_error(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"cannot listen on 127.0.0.1:{port}"):
            LocalPostgres(data_dir=data_dir, port=port, sync_new_files=False).start()


def test_a_chosen_port_that_is_taken_meanwhile_is_chosen_anew(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], free_port()
        choices = iter([taken, free])
        monkeypatch.setattr(postgres, "free_port", lambda: next(choices))
        with LocalPostgres(data_dir=data_dir, sync_new_files=False) as server:
            assert server.port == free


def test_a_cluster_left_half_made_is_made_anew(data_dir: Path) -> None:
    half_made = data_dir.with_name("postgres.unfinished") / "data"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with LocalPostgres(data_dir=data_dir, sync_new_files=False) as server:
        assert server.pid == cluster.postmaster_pid(data_dir)
    assert not half_made.exists()


async def test_every_way_to_run_it_as_this_user_reaches_a_closed_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    ways = [way for way in account.possible_accounts() if account._fault_of(way, find_binaries(), closed) is None]
    assert ways
    for way in ways:
        monkeypatch.setattr(postgres, "choose_account", lambda *_, way=way: way)
        # One folder for all: it changes hands when another way is taken than the time before.
        with LocalPostgres(data_dir=closed / "postgres", sync_new_files=False) as server:
            assert await fetch(server, "SELECT 1") == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_it_is_not_started_from_a_thread_that_may_end_before_the_process(data_dir: Path) -> None:
    raised: list[LocalShopError] = []

    def start() -> None:
        try:
            LocalPostgres(data_dir=data_dir).start()
        except LocalShopError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(END_TIMEOUT_S)
    assert "main thread" in str(raised)


def test_a_wrong_pg_bin_is_an_error_and_not_skipped(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(PostgresNotFound, match="has no initdb, postgres, psql"):
        LocalPostgres(data_dir=data_dir)

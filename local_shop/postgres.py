"""A PostgreSQL server of this process' own, which ends when the process ends, also by kill -9."""

import fcntl
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self
from urllib.parse import quote

from local_shop import cluster
from local_shop.account import Account, choose_account
from local_shop.binaries import find_binaries
from local_shop.errors import DataFolderInUse, DataFolderUnusable, LocalShopError, PortTaken, PostgresFailed
from local_shop.ports import HOST, free_port

START_TIMEOUT_S = 60.0
READY_POLL_S = 0.01
PREDECESSOR_TIMEOUT_S = 10.0
PORT_ATTEMPTS_MAX = 5
LOG_SIZE_MAX = 16 * 1024 * 1024
LOG_TAIL_SIZE_MAX = 4_000

# What each step of a stop sends, and how long PostgreSQL then has; the next step follows when that is over.
FAST_STOP = (signal.SIGINT, 30.0)
IMMEDIATE_STOP = (signal.SIGQUIT, 10.0)
KILL = (signal.SIGKILL, 5.0)
STEPS = {"fast": (FAST_STOP, IMMEDIATE_STOP, KILL), "immediate": (IMMEDIATE_STOP, KILL)}

# The first three are the shop's promise: an acknowledged order survives a power cut. The rest suits a small machine.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # Nobody needs it, and a deep folder's name would not fit into its address.
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    # One hot disc's row is rewritten thousands of times a minute: its dead versions have to go soon.
    "autovacuum_naptime": "5s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class LocalPostgres:
    """One cluster on one data folder, supervised by this process.

    As a context manager it starts on entry and stops on exit. `data_dir` is made if it is not there; the server's log
    is `<data_dir>.log`. Without `port` a free one is chosen at the first start and kept. Raises a LocalShopError that
    says what to do.
    """

    host = HOST

    def __init__(self, *, data_dir: Path, port: int | None = None, sync_new_files: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self.log_file = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self.bin = find_binaries()
        self._port = port
        self._sync_new_files = sync_new_files
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, the same over all starts of this object."""
        if self._port is None:
            raise LocalShopError("PostgreSQL has no port before its first start.")
        return self._port

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise LocalShopError("PostgreSQL is not running.")
        return self._process.pid

    @property
    def admin_password(self) -> str:
        """The superuser's password."""
        return cluster.superuser_password(self.data_dir)

    @property
    def admin_dsn(self) -> str:
        """The superuser's way into the database `postgres`."""
        return self.dsn("postgres", cluster.SUPERUSER, self.admin_password)

    def dsn(self, database: str, user: str, password: str) -> str:
        """Return the URL by which `user` connects to `database`."""
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@{self.host}:{self.port}/{quote(database)}"

    def start(self) -> None:
        """Make the cluster if need be, and start the server; returns when it takes connections."""
        # Linux sends the signal that ends PostgreSQL with its parent when the starting thread ends.
        if threading.current_thread() is not threading.main_thread():
            raise LocalShopError("Start PostgreSQL from the main thread: it ends with the thread that started it.")
        if self._process is not None:
            raise LocalShopError("PostgreSQL was started already; stop it first.")
        try:
            self.data_dir.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            account = choose_account(self.bin, self.data_dir.parent)
            cluster.ensure_cluster(self.data_dir, self.bin, account, sync=self._sync_new_files)
            self._wait_for_predecessor()
            self._start_on_a_port(account)
        except PermissionError as error:
            self.stop("immediate")
            raise DataFolderUnusable(f"{error.filename} belongs to another user: use a folder of your own.") from error
        except BaseException:
            self.stop("immediate")
            raise

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` with a checkpoint, `immediate` as a crash would. Nothing happens if it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            self._end(process, mode)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _end(self, process: subprocess.Popen[bytes], mode: str) -> None:
        for number, timeout_s in STEPS[mode]:
            process.send_signal(number)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                continue
            return
        raise PostgresFailed(f"PostgreSQL (process {process.pid}) does not end; see {self.log_file}.")

    def _take_lock(self) -> None:
        lock_file = self.data_dir.with_name(f"{self.data_dir.name}.lock")
        self._lock = lock_file.open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            self._lock = None
            raise DataFolderInUse(
                f"Another process runs PostgreSQL on {self.data_dir}: stop that one first, or use another folder."
            ) from error

    def _wait_for_predecessor(self) -> None:
        """Wait for a server whose supervisor was killed a moment ago and that is about to end.

        No more than that: whether a lock file is stale is for PostgreSQL to judge.
        """
        pid = cluster.postmaster_pid(self.data_dir)
        if pid is None:
            return
        try:
            process = os.pidfd_open(pid)
        except OSError:
            return
        try:
            select.select([process], [], [], PREDECESSOR_TIMEOUT_S)
        finally:
            os.close(process)

    def _start_on_a_port(self, account: Account) -> None:
        if self._port is not None:
            self._start_on(self._port, account)
            return
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            port = free_port()
            try:
                self._start_on(port, account)
            except PortTaken:
                if attempt == PORT_ATTEMPTS_MAX:
                    raise
            else:
                self._port = port
                return

    def _start_on(self, port: int, account: Account) -> None:
        settings = [f"--{name}={value}" for name, value in (SETTINGS | {"port": str(port)}).items()]
        server: list[str | Path] = [self.bin / "postgres", "-D", self.data_dir, *settings]
        with self._open_log() as log:
            self._process = subprocess.Popen(
                account.command(self.data_dir.parent, server),
                env=cluster.plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for the supervisor, which stops the services before their database.
                start_new_session=True,
            )
            self._wait_until_ready(self._process, port, log_start=log.tell())

    def _wait_until_ready(self, process: subprocess.Popen[bytes], port: int, *, log_start: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not cluster.is_ready(self.data_dir, process.pid):
            try:
                process.wait(READY_POLL_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise PostgresFailed(
                        f"PostgreSQL is not ready after {START_TIMEOUT_S:.0f} s; see {self.log_file}."
                    ) from None
            else:
                self._process = None
                raise self._start_error(port, log_start)

    def _start_error(self, port: int, log_start: int) -> LocalShopError:
        with self.log_file.open(encoding="utf-8", errors="replace") as log:
            log.seek(log_start)
            tail = log.read()[-LOG_TAIL_SIZE_MAX:]
        if "could not create any TCP/IP sockets" in tail:
            return PortTaken(f"PostgreSQL cannot listen on {self.host}:{port}, as another program does:\n{tail}")
        if 'lock file "postmaster.pid" already exists' in tail:
            return DataFolderInUse(f"Another PostgreSQL runs on {self.data_dir}:\n{tail}")
        return PostgresFailed(f"PostgreSQL did not start:\n{tail}")

    def _open_log(self) -> IO[bytes]:
        too_long = self.log_file.exists() and self.log_file.stat().st_size > LOG_SIZE_MAX
        log = self.log_file.open("wb" if too_long else "ab")
        log.seek(0, os.SEEK_END)
        return log

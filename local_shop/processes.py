"""A service as a real process: started, watched, stopped, paused and killed by whoever started it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.account import launched
from local_shop.errors import LocalShopError, PortTaken, ServiceFailed
from local_shop.listening import listens
from local_shop.ports import HOST
from local_shop.process_logs import ProcessLog

ROOT = Path(__file__).parent.parent
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 10.0
POLL_S = 0.02
# What a process keeps of this one's environment; all else it gets is named.
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH")
CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    # Its connections are its own: a fresh one notices a fresh process.
    ("grpc.use_local_subchannel_pool", 1),
)
SERVING = health_pb2.HealthCheckResponse.SERVING


class ServiceProcess:
    """One service on one port of 127.0.0.1, which it keeps over restarts; it ends, killed, when this process ends.

    `program` are Python's arguments, such as `-m order_service`; `settings` the variables of its environment.
    `start` belongs to the main thread; the rest may be called from any.
    """

    def __init__(
        self, *, name: str, port: int, program: Sequence[str | Path], settings: Mapping[str, str], log: ProcessLog
    ) -> None:
        self.name = name
        self.port = port
        self.address = f"{HOST}:{port}"
        self._program = program
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._started.pid

    @property
    def exit_code(self) -> int | None:
        """How the process ended: its exit code, or -N for signal N; None while it runs."""
        return self._started.poll()

    def raise_if_ended(self) -> None:
        """Raise ServiceFailed, with the end of its log, if the process has ended."""
        if self.exit_code is not None:
            raise ServiceFailed(f"{self.name} ended with exit code {self.exit_code}:\n{self._log.tail()}")

    def start(self) -> None:
        """Start the process, and do not wait for it."""
        # Linux sends the signal that ends a process with its parent when the starting thread ends.
        if threading.current_thread() is not threading.main_thread():
            raise LocalShopError(f"Start {self.name} from the main thread: it ends with the thread that started it.")
        if self._process is not None and self._process.poll() is None:
            raise LocalShopError(f"{self.name} runs already.")
        command = launched([sys.executable, *self._program], folder=ROOT, end_signal=signal.SIGKILL)
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        with self._log.open() as log:
            self._process = subprocess.Popen(
                command,
                env={**kept, "PYTHONPATH": str(ROOT), **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for the supervisor, which stops the services one after the other.
                start_new_session=True,
            )

    def wait_serving(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the service's health is SERVING; PortTaken or ServiceFailed, with the end of its log, if it ends before."""
        deadline = time.monotonic() + timeout_s
        self._wait_until_it_listens(deadline)
        with self._channel() as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while not _watch_until_serving(health, deadline):
                self._wait_a_moment(deadline)

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL), and wait until it is gone."""
        self._started.kill()
        self._started.wait(KILL_TIMEOUT_S)

    def terminate(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ask the process to end (SIGTERM), wait until it did, and return its exit code; ServiceFailed if it does not."""
        self._started.terminate()
        try:
            return self._started.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ServiceFailed(f"{self.name} did not end within {timeout_s:.0f} s:\n{self._log.tail()}") from error

    def pause(self) -> None:
        """Freeze the process (SIGSTOP), and return when it is frozen."""
        self._started.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self._started.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process for good, gently if it lets itself be ended so. Nothing happens if it does not run."""
        if self._process is None or self._process.poll() is not None:
            return
        self.resume()
        try:
            self.terminate()
        except ServiceFailed:
            self.kill()

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LocalShopError(f"{self.name} was not started.")
        return self._process

    def _channel(self) -> grpc.Channel:
        certificate = self._settings.get("TLS_CERT_FILE")
        if certificate is None:
            return grpc.insecure_channel(self.address, options=CHANNEL_OPTIONS)
        credentials = grpc.ssl_channel_credentials(Path(certificate).read_bytes())
        return grpc.secure_channel(self.address, credentials, options=CHANNEL_OPTIONS)

    def _wait_until_it_listens(self, deadline: float) -> None:
        while not listens(self.pid, self.port):
            self._wait_a_moment(deadline)

    def _wait_a_moment(self, deadline: float) -> None:
        try:
            self._started.wait(POLL_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{self.name} does not serve in time:\n{self._log.tail()}") from None
            return
        if "cannot listen" in self._log.tail():
            raise PortTaken(f"{self.name} cannot listen on {self.address}: another program does, or it may not.")
        self.raise_if_ended()


def _watch_until_serving(health: health_pb2_grpc.HealthStub, deadline: float) -> bool:
    request = health_pb2.HealthCheckRequest()
    try:
        for answer in health.Watch(request, timeout=deadline - time.monotonic(), wait_for_ready=True):
            if answer.status == SERVING:
                return True
    except grpc.RpcError:
        pass
    return False

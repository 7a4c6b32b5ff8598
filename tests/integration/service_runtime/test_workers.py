"""The parent of workers, with programs that are no services."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from service_runtime import workers
from service_runtime.reserved_port import ReservedPort
from service_runtime.workers import EXIT_WORKERS_FAILED, FAST_DEATHS_MAX, Workers

HOST = "127.0.0.1"
SAYS_NOTHING = "import sys; sys.stdin.read()"
NEVER_LISTENS = (
    "import socket, sys; line = socket.socket(fileno=0); line.sendall(b'ready'); line.recv(64); line.recv(64)"
)


@pytest.fixture
async def port() -> AsyncIterator[ReservedPort]:
    """A reserved port of this machine's choice; the signals that a parent heeds are the tests' own again afterwards."""
    with ReservedPort(HOST, 0) as reserved:
        yield reserved
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize("program", [SAYS_NOTHING, NEVER_LISTENS])
async def test_a_worker_that_does_not_listen_in_time_is_killed(
    port: ReservedPort, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    limit = "START_TIMEOUT_S" if program == SAYS_NOTHING else "LISTEN_TIMEOUT_S"
    monkeypatch.setattr(workers, limit, 0.2)
    parent = Workers(command=[sys.executable, "-c", program], count=1, port=port, drain_timeout_s=1.0)
    with capture_logs() as logs, pytest.raises(SystemExit) as ended:
        await parent.run()
    assert ended.value.code == EXIT_WORKERS_FAILED
    assert [line["exit_code"] for line in logs if line["event"] == "a worker died"] == [-9] * FAST_DEATHS_MAX

"""Services with several workers: their command line, their port, and how they begin and end. No database is needed for that."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from local_shop.listening import children, listens
from local_shop.ports import HOST, free_port
from local_shop.process_logs import FileLog
from local_shop.processes import ServiceProcess
from tests.faults.waiting import eventually

ROOT = Path(__file__).parents[3]
SERVICES = ["catalog", "customer", "order"]
EXIT_TIMEOUT_S = 60.0
DATABASE = {"POSTGRES_USER": "nobody", "POSTGRES_PASSWORD": "never-to-be-shown", "POSTGRES_DB": "nothing"}


def run_to_its_end(service: str, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run a service that is to end by itself; return its exit code and all that it said."""
    ended = subprocess.run(
        [sys.executable, "-m", f"{service}_service", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **DATABASE, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=EXIT_TIMEOUT_S,
        check=False,
    )
    return ended.returncode, ended.stdout


def is_there(pid: int) -> bool:
    """Tell whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


class Running:
    """A customer service with workers, and what it has logged."""

    def __init__(self, log: Path, port: int, arguments: tuple[str, ...], settings: dict[str, str]) -> None:
        self._log = log
        self.port = port
        self.process = ServiceProcess(
            name="customer_service",
            port=port,
            program=("-m", "customer_service", *arguments),
            settings={**DATABASE, "CUSTOMER_PORT": str(port), **settings},
            log=FileLog(log),
        )

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines about an event."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def logged(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until an event was logged so many times, and return the lines about it."""

        async def lines() -> list[dict[str, Any]]:
            return self.lines(event)

        return await eventually(lines, lambda found: len(found) >= count)

    def workers(self) -> dict[int, int]:
        """Return the process ids of the workers that run, by their numbers."""
        found = {}
        for pid in children(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if "--worker" in command:
                found[int(command[command.index("--worker") + 1])] = pid
        return found

    async def exit_code(self) -> int | None:
        """Wait until the process has ended by itself."""

        async def code() -> int | None:
            return self.process.exit_code

        return await eventually(code, lambda found: found is not None, timeout_s=EXIT_TIMEOUT_S)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts services: call it with their arguments, and with settings by name."""
    with ExitStack() as stack:

        def start(*arguments: str, port: int | None = None, **settings: str) -> Running:
            log = tmp_path / "log"
            log.touch()
            started = Running(log, free_port() if port is None else port, arguments, settings)
            started.process.start()
            stack.callback(started.process.stop)
            return started

        yield start


@pytest.mark.parametrize("service", SERVICES)
def test_help_tells_of_workers(service: str) -> None:
    code, said = run_to_its_end(service, "--help", POSTGRES_USER="")
    assert code == 0
    assert "--workers N" in said
    assert "--worker " not in said


@pytest.mark.parametrize("count", ["0", "-1", "65", "2.5", "many", ""])
def test_a_number_of_workers_that_cannot_be_is_named_once_and_ends_the_process_with_2(count: str) -> None:
    for arguments, settings in (([f"--workers={count}"], {}), ([], {"WORKERS": count})):
        code, said = run_to_its_end("customer", *arguments, **settings)
        assert code == 2
        assert said.startswith("setting WORKERS: ")
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_wrong_settings_of_several_workers_are_named_once(service: str) -> None:
    code, said = run_to_its_end(service, "--workers", "3", POSTGRES_PORT="no-number", DRAIN_TIMEOUT_S="-1")
    assert code == 2
    assert [line.split(":")[0] for line in said.splitlines()] == ["setting DRAIN_TIMEOUT_S", "setting POSTGRES_PORT"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("reuseport", [0, 1])
def test_several_workers_are_refused_a_port_in_use(service: str, reuseport: int) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuseport)
        server.bind((HOST, 0))
        server.listen()
        port = str(server.getsockname()[1])
        code, said = run_to_its_end(service, "--workers", "2", **{f"{service.upper()}_PORT": port})
    assert code == 1
    (line,) = [json.loads(line) for line in said.splitlines()]
    assert line["event"] == "cannot listen: the address is in use or is not this machine's"
    assert line["address"] == f"{HOST}:{port}"


async def test_nobody_else_gets_the_port_of_workers(running: Callable[..., Running]) -> None:
    service = running("--workers", "2")
    await service.logged("all workers listen")
    for count in ("1", "2"):
        code, said = run_to_its_end("customer", "--workers", count, CUSTOMER_PORT=str(service.port))
        assert code == 1
        assert "cannot listen" in said
    server = grpc.aio.server()
    with pytest.raises(RuntimeError):
        server.add_insecure_port(f"{HOST}:{service.port}")
    await server.stop(None)
    assert service.process.terminate() == 0


async def test_workers_share_the_port_that_their_parent_chose(running: Callable[..., Running]) -> None:
    service = running("--workers", "2", port=0, WORKERS="3")
    (all_listen,) = await service.logged("all workers listen")
    port = all_listen["port"]
    assert (all_listen["workers"], port > 0) == (2, True)
    each = service.lines("listening")
    assert sorted((line["worker"], line["port"]) for line in each) == [(1, port), (2, port)]
    workers = service.workers()
    assert workers.keys() == {1, 2}
    for pid in workers.values():
        assert listens(pid, port)
    assert not listens(workers[1], port + 1)
    assert service.process.terminate() == 0
    assert not any(is_there(pid) for pid in workers.values())


async def test_one_worker_is_one_process(running: Callable[..., Running]) -> None:
    service = running("--workers", "1")
    (line,) = await service.logged("listening")
    assert "worker" not in line
    assert children(service.process.pid) == []
    assert listens(service.process.pid, service.port)
    assert service.process.terminate() == 0


async def test_a_service_is_back_at_once_although_connections_linger(running: Callable[..., Running]) -> None:
    service = running(WORKERS="2")
    await service.logged("all workers listen")
    with socket.create_connection((HOST, service.port)) as client:
        assert client.recv(1) != b"", "grpc greets"
        assert service.process.terminate() == 0
        # It was the service that closed the connection, so that its end of it lingers.
        while client.recv(4_096):
            pass
    service.process.start()
    await service.logged("all workers listen", 2)


async def test_a_worker_that_keeps_dying_ends_all(running: Callable[..., Running]) -> None:
    service = running("--workers", "2")
    await service.logged("all workers listen")
    for deaths in range(1, 6):
        workers = service.workers()
        os.kill(workers[1], signal.SIGKILL)
        (*_, death) = await service.logged("a worker died", deaths)
        assert (death["worker"], death["exit_code"], death["deaths_in_a_row"]) == (1, -9, deaths)
        if deaths < 5:
            await service.logged("listening", 2 + deaths)
    assert await service.exit_code() == 3
    assert service.lines("a worker keeps dying: all end")[0]["worker"] == 1
    # The other one was let finish.
    assert [line["worker"] for line in service.lines("stopped") if "worker" in line] == [2]


async def test_a_worker_that_does_not_drain_in_time_is_killed(running: Callable[..., Running]) -> None:
    service = running("--workers", "2", DRAIN_TIMEOUT_S="0.1")
    await service.logged("all workers listen")
    frozen = service.workers()[2]
    os.kill(frozen, signal.SIGSTOP)
    assert service.process.terminate() == 3
    assert service.lines("a worker does not end in time")[0]["worker"] == 2
    assert not is_there(frozen)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_workers_that_are_told_to_end_while_they_start_just_end(
    running: Callable[..., Running], ending: signal.Signals
) -> None:
    service = running("--workers", "2")

    async def begun() -> dict[int, int]:
        return service.workers()

    await eventually(begun, bool)
    # To all of the parent's session, as a terminal does it.
    os.killpg(service.process.pid, ending)
    assert await service.exit_code() == 0
    assert service.lines("a worker died") == []

"""The parent of several processes that serve one port together: it starts them, starts them again, and ends with them."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import ExitStack, suppress

import structlog

from service_runtime.background import cancelled_quietly
from service_runtime.place import LISTENING, READY, WORD_SIZE_MAX, cannot_listen
from service_runtime.reserved_port import ReservedPort
from service_runtime.settings import ServerSettings
from service_runtime.worker_pages import WorkerPages

EXIT_WORKERS_FAILED = 3
# From a worker's start until it is ready, and from then until it listens.
START_TIMEOUT_S = 60.0
LISTEN_TIMEOUT_S = 10.0
# A worker drains its calls, then what it keeps doing without their callers, part by part: each for a drain's time at most.
DRAINS_MAX = 4
END_MARGIN_S = 5.0
# A worker that has listened for this long was well; any other death is a fast one.
STEADY_S = 5.0
FAST_DEATHS_MAX = 5
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
# A worker that is told to end before it has learnt to drain just ends.
DRAINED = (0, -signal.SIGTERM)

log = structlog.get_logger(__name__)


class Workers:
    """Keeps a number of workers running on a port, each started by `command` with `--worker` and its number."""

    def __init__(
        self,
        *,
        command: Sequence[str],
        count: int,
        port: ReservedPort,
        drain_timeout_s: float,
        more_ports: Sequence[ReservedPort] = (),
        pages: WorkerPages | None = None,
    ) -> None:
        self._command = command
        self._pages = pages
        self._count = count
        self._port = port
        self._more_ports = more_ports
        self._end_timeout_s = DRAINS_MAX * drain_timeout_s + END_MARGIN_S
        self._door = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._listening_since_s: dict[int, float] = {}
        self._failed = False

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT, and then until all have drained; ends the process with 3 if workers fail."""
        for ending in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(ending, self._stopping.set)
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._count + 1):
                group.create_task(self._keep(number))
        log.info("stopped", all_well=not self._failed)
        if self._failed:
            raise SystemExit(EXIT_WORKERS_FAILED)

    async def _keep(self, number: int) -> None:
        """Starts a worker, and again whenever it ends; one that keeps dying ends all."""
        deaths = 0
        while not self._stopping.is_set():
            exit_code, was_steady = await self._run(number)
            if self._stopping.is_set():
                self._failed |= exit_code not in DRAINED
                return
            deaths = 1 if was_steady else deaths + 1
            log.error("a worker died", worker=number, exit_code=exit_code, deaths_in_a_row=deaths)
            if deaths == FAST_DEATHS_MAX:
                log.error("a worker keeps dying: all end", worker=number)
                self._failed = True
                self._stopping.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), min(BACKOFF_FIRST_S * 2 ** (deaths - 1), BACKOFF_MAX_S))

    async def _run(self, number: int) -> tuple[int, bool]:
        """Runs a worker once; answers its exit code, and whether it served for a while."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                # A session of its own, because Ctrl-C in a terminal is for the parent. When this process ends, so does the line.
                page = () if self._pages is None else (self._pages.descriptor(number),)
                process = await asyncio.create_subprocess_exec(
                    *(*self._command, "--worker", str(number)),
                    *(f"--metrics-page={descriptor}" for descriptor in page),
                    stdin=theirs.fileno(),
                    pass_fds=page,
                    start_new_session=True,
                )
            if self._pages is not None:
                self._pages.began(number, process.pid)
            ours.setblocking(False)  # noqa: FBT003 - the socket's own way to be asked.
            ushering = asyncio.create_task(self._usher(process, number, ours))
            try:
                exit_code = await self._ended(process, number)
            finally:
                await cancelled_quietly(ushering)
                if self._pages is not None:
                    self._pages.ended(number, died=not self._stopping.is_set())
        now_s = asyncio.get_running_loop().time()
        return exit_code, now_s - self._listening_since_s.pop(number, now_s) >= STEADY_S

    async def _usher(self, process: Process, number: int, line: socket.socket) -> None:
        """Lets a worker listen, and says so when all do. One that takes too long over it is killed."""
        try:
            listens = await self._let_in(line)
        except ConnectionError:
            return
        except TimeoutError:
            log.error("a worker does not listen in time", worker=number)  # noqa: TRY400 - no error of ours was raised.
            _signal(process, signal.SIGKILL)
            return
        if listens:
            self._listening_since_s[number] = asyncio.get_running_loop().time()
            if len(self._listening_since_s) == self._count:
                log.info("all workers listen", workers=self._count, port=self._port.number)

    async def _let_in(self, line: socket.socket) -> bool:
        """Opens the port to a worker when it is ready, to one at a time; answers whether it listens, or has died."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(START_TIMEOUT_S):
            if await loop.sock_recv(line, WORD_SIZE_MAX) != READY:
                return False
        async with self._door, asyncio.timeout(LISTEN_TIMEOUT_S):
            with ExitStack() as opened:
                for port in (self._port, *self._more_ports):
                    opened.enter_context(port.open())
                await loop.sock_sendall(line, str(self._port.number).encode())
                return await loop.sock_recv(line, WORD_SIZE_MAX) == LISTENING

    async def _ended(self, process: Process, number: int) -> int:
        """Waits until a worker has ended: by itself, or asked to when all are to end, or killed when it takes too long over that."""
        ending = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([ending, stopping], return_when=asyncio.FIRST_COMPLETED)
        await cancelled_quietly(stopping)
        if not ending.done():
            _signal(process, signal.SIGTERM)
            await asyncio.wait([ending], timeout=self._end_timeout_s)
        if not ending.done():
            log.error("a worker does not end in time", worker=number)
            _signal(process, signal.SIGKILL)
        return await ending


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


async def supervise(settings: ServerSettings, port: int, pages: WorkerPages | None) -> None:
    """Runs as many workers as the settings say, each started as this process was; a port in use ends the process with 1."""
    with ExitStack() as stack:
        reserved, *more = [
            stack.enter_context(_reserved(settings.bind_address, number))
            for number in (port, settings.mtls_port)
            if number is not None
        ]
        await Workers(
            command=[sys.executable, *sys.orig_argv[1:]],
            count=settings.workers,
            port=reserved,
            more_ports=more,
            drain_timeout_s=settings.drain_timeout_s,
            pages=pages,
        ).run()


def _reserved(host: str, number: int) -> ReservedPort:
    try:
        return ReservedPort(host, number)
    except OSError:
        raise cannot_listen(f"{host}:{number}") from None

"""h2load, the lightest client: it knows HTTP/2 and nothing of gRPC."""

import re
from itertools import count
from pathlib import Path

from benchmarks.errors import BenchmarkFailed
from benchmarks.load import Call, Load, run_program

FRAME_UNCOMPRESSED = b"\0"
FRAME_LENGTH_SIZE = 4
TIMEOUT_S = 300.0
HEADERS = ("content-type: application/grpc", "te: trailers")
HTTP_OK = "200"


class H2load:
    """Sends one body for ever, on one connection for each client."""

    def __init__(self, program: Path, version: str, folder: Path) -> None:
        self.name = f"h2load ({version})"
        self._program = program
        self._folder = folder
        self._numbers = count()

    @classmethod
    async def find(cls, program: Path, folder: Path) -> "H2load":
        """Ask the program for its version; it keeps what it reads and writes in `folder`."""
        printed = await run_program([program, "--version"], timeout_s=TIMEOUT_S)
        return cls(program, re.sub(r"^h2load ", "", printed.strip()), folder)

    async def run(self, call: Call, *, calls: int, clients: int) -> Load:
        """Make the load; HTTP says nothing of a call's status, so that outcomes have to be counted in the databases."""
        number = next(self._numbers)
        body, log = self._folder / f"{number}.body", self._folder / f"{number}.log"
        frame = FRAME_UNCOMPRESSED + len(call.message).to_bytes(FRAME_LENGTH_SIZE) + call.message
        body.write_bytes(frame * call.messages)
        token = (f"authorization: Bearer {call.entrance.token}",) if call.entrance.token else ()
        headers = [part for header in (*HEADERS, *token) for part in ("--header", header)]
        scheme = "https" if call.entrance.ca else "http"
        command: list[str | Path] = [
            *(self._program, "--requests", str(calls), "--clients", str(clients), "--max-concurrent-streams", "1"),
            *headers,
            *("--data", body, "--log-file", log, f"{scheme}://{call.address}{call.method}"),
        ]
        await run_program(command, timeout_s=TIMEOUT_S)
        try:
            return read_log(log.read_text(encoding="utf-8"))
        finally:
            body.unlink()
            log.unlink()


def read_log(log: str) -> Load:
    """Read h2load's log: on each line the start in microseconds, the HTTP status, and the microseconds until the end."""
    first_us, last_us = float("inf"), 0
    latencies_ms = []
    for line in log.splitlines():
        start_us, status, took_us = line.split("\t")[:3]
        if status == HTTP_OK:
            first_us, last_us = min(first_us, int(start_us)), max(last_us, int(start_us) + int(took_us))
            latencies_ms.append(int(took_us) / 1_000)
    if not latencies_ms:
        raise BenchmarkFailed("Not one call of h2load's was answered.")
    return Load(len(latencies_ms), (last_us - first_us) / 1_000_000, latencies_ms)

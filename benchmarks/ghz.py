"""ghz, which knows gRPC."""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from benchmarks.errors import BenchmarkFailed
from benchmarks.load import Call, Load, run_program
from benchmarks.locks import Entrance

TIMEOUT_S = 300.0
CALL_TIMEOUT = "60s"
PROTO = Path("protos/recordshop/order/v1/order.proto")
ROOT = Path(__file__).parent.parent
# A refusal is an answer too, and so is that there were too many conflicts for a decision.
ANSWERS = frozenset({"OK", "FailedPrecondition", "Aborted"})
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Ghz:
    """Sends one message for ever, on one connection for each client."""

    def __init__(self, program: Path, version: str, folder: Path) -> None:
        self.name = f"ghz ({version})"
        self._program = program
        self._folder = folder
        self._numbers = count()

    @classmethod
    async def find(cls, program: Path, folder: Path) -> "Ghz":
        """Ask the program for its version; it keeps what it reads and writes in `folder`."""
        printed = (await run_program([program, "--version"], timeout_s=TIMEOUT_S)).strip()
        # What `go install` built knows no version, and has it in its name here.
        return cls(program, printed if printed not in {"", "dev"} else program.name, folder)

    async def run(self, call: Call, *, calls: int, clients: int) -> Load:
        """Make the load."""
        number = next(self._numbers)
        body, report = self._folder / f"{number}.body", self._folder / f"{number}.json"
        body.write_bytes(call.message)
        command: list[str | Path] = [
            *(self._program, *_entrance(call.entrance), "--proto", ROOT / PROTO, "--import-paths", ROOT / "protos"),
            *("--call", call.method.lstrip("/"), "--binary-file", body, "--timeout", CALL_TIMEOUT),
            *(
                "--stream-call-count",
                str(call.messages),
                "--total",
                str(calls),
                "--concurrency",
                str(clients),
                "--connections",
                str(clients),
            ),
            *("--format", "json", "--output", report, call.address),
        ]
        await run_program(command, timeout_s=TIMEOUT_S)
        try:
            return read_report(report.read_text(encoding="utf-8"))
        finally:
            body.unlink()
            report.unlink()


def _entrance(entrance: Entrance) -> Sequence[str | Path]:
    tls: Sequence[str | Path] = ("--cacert", entrance.ca) if entrance.ca else ("--insecure",)
    if not entrance.token:
        return tls
    return (*tls, "--metadata", json.dumps({"authorization": f"Bearer {entrance.token}"}))


def read_report(report: str) -> Load:
    """Read ghz's report in JSON."""
    told = json.loads(report)
    answered = sum(number for status, number in told["statusCodeDistribution"].items() if status in ANSWERS)
    if not answered:
        raise BenchmarkFailed(f"Not one call of ghz's was answered: {told['statusCodeDistribution']}")
    latencies_ms = [call["latency"] / NS_PER_MS for call in told["details"] if call["status"] in ANSWERS]
    return Load(answered, told["total"] / NS_PER_S, latencies_ms)

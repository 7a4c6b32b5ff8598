"""grpcurl and ghz: those on PATH, or built once by `go install` into `.tools/bin`."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BIN = Path(__file__).parents[2] / ".tools" / "bin"
INSTALL_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class GoTool:
    """A program in Go, pinned: `@latest` of ghz is an old one."""

    name: str
    package: str
    version: str


GRPCURL = GoTool("grpcurl", "github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.4")
GHZ = GoTool("ghz", "github.com/bojand/ghz/cmd/ghz", "v0.121.0")


class GoMissing(Exception):
    """The program is not here, and cannot be built either."""


def find_or_install(tool: GoTool) -> Path:
    """Return the path of the program, which is built first where it is missing; GoMissing if there is no Go to do that.

    May take minutes the first time. Processes that ask at the same time build it once.
    """
    if on_path := shutil.which(tool.name):
        return Path(on_path)
    built = BIN / f"{tool.name}-{tool.version}"
    if not built.exists():
        _install(tool, built)
    return built


def _install(tool: GoTool, built: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise GoMissing(f"{tool.name} is not on PATH, and there is no Go to build it with")
    BIN.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(BIN / "lock"), tempfile.TemporaryDirectory(dir=BIN) as folder:
        if built.exists():
            return
        command = [go, "install", f"{tool.package}@{tool.version}"]
        subprocess.run(command, env=os.environ | {"GOBIN": folder}, timeout=INSTALL_TIMEOUT_S, check=True)
        (Path(folder) / tool.name).replace(built)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

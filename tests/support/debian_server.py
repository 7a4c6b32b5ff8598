"""A server of Debian's packages, run for a test."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

from local_shop.account import launched
from local_shop.cluster import plain_environment
from tests.support.debian_tool import DebianToolMissing, find_or_fetch

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 10.0
POLL_S = 0.05
# Servers of this machine are asked directly, whatever proxy the environment names.
_opener = build_opener(ProxyHandler({}))


def debian_program(name: str, *, package: str) -> Path:
    """Return a program of Debian's; skip the test where it is not to be had."""
    try:
        return find_or_fetch(name, package=package)
    except DebianToolMissing as error:
        pytest.skip(str(error))


def read_url(url: str) -> str:
    """Ask a server of this machine; URLError if it does not answer."""
    with _opener.open(url, timeout=ANSWER_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
    return text


@contextmanager
def running(
    command: Sequence[str | Path], *, folder: Path, url: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server in `folder` until the block ends, which begins when `url` is answered; it ends with this process at the latest."""
    log = folder / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            launched(command, folder=folder, end_signal=signal.SIGKILL),
            env=plain_environment() | dict(environment or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            assert _answers_in_time(url, process), f"{command[0]} does not answer:\n{log.read_text(encoding='utf-8')}"
            yield
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def _answers_in_time(url: str, process: "subprocess.Popen[bytes]") -> bool:
    for _ in range(int(START_TIMEOUT_S / POLL_S)):
        try:
            read_url(url)
        except URLError:
            try:
                process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
            return False
        return True
    return False

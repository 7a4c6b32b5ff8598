"""`make top` on a terminal, into a pipe, and where no shop runs."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from local_shop.shop_env import ShopEnv
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.integration.order_desk import OrderDesk
from tests.opened_shop import OpenedShop

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "local_shop", "top"]
END_TIMEOUT_S = 60.0
READ_SIZE = 65_536


@pytest.fixture(scope="module")
async def metered(postgres: ProvisionedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """The folder of a running shop in which two orders were placed."""
    async with AsyncExitStack() as stack:
        shop: OpenedShop = await FreshShops(postgres, stack)(metrics=True)
        folder = tmp_path_factory.mktemp("top")
        ShopEnv.of(shop.local).write(folder / "shop.env")
        customer = await shop.make_customer()
        disc = await shop.make_disc(stock=2, name="Kind of Blue [bold]")
        desk = OrderDesk(shop.order)
        for _ in range(2):
            await desk.create(customer.id, {disc.id: 1})
        yield folder


def environment(folder: Path, **more: str) -> dict[str, str]:
    return os.environ | {"SHOP_DIR": str(folder), "TERM": "xterm", "COLUMNS": "100", "LINES": "40", **more}


@contextmanager
def on_a_terminal(folder: Path, **more: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run it on a terminal of its own; yields the process and the terminal's other end."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            COMMAND, cwd=ROOT, env=environment(folder, **more), stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            try:
                yield process, ours
            finally:
                process.kill()
    finally:
        os.close(ours)


def read_until(terminal: int, words: str, timeout_s: float = END_TIMEOUT_S) -> str:
    """Read what it shows until the words have come, or, for no words, until it has ended."""
    shown, deadline_s = b"", time.monotonic() + timeout_s
    while not words or words.encode() not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline_s - time.monotonic()))
        assert ready, f"no {words!r} in {shown.decode(errors='replace')}"
        with suppress(OSError):
            if more := os.read(terminal, READ_SIZE):
                shown += more
                continue
        assert not words, f"ended without {words!r}: {shown.decode(errors='replace')}"
        break
    return shown.decode(errors="replace")


def test_into_a_pipe_it_prints_one_plain_frame(metered: Path) -> None:
    ended = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(metered), capture_output=True, text=True, timeout=END_TIMEOUT_S, check=True
    )
    assert "\x1b" not in ended.stdout
    assert "catalog serves" in ended.stdout
    assert "(2 copies)" in ended.stdout
    for words in ("order singles", "catalog multiples", "oldest open order 0.0 s", "Kind of Blue [bold]", "audit OK: "):
        assert words in ended.stdout
    hot = next(line for line in ended.stdout.splitlines() if line.startswith("Kind of Blue"))
    assert hot.split()[-4:] == ["2", "2", "2", "0"]


def test_one_frame_on_a_terminal_ends_by_itself(metered: Path) -> None:
    with on_a_terminal(metered, TOP_ONCE="1") as (process, terminal):
        assert "audit OK: " in read_until(terminal, "")
        assert process.wait(END_TIMEOUT_S) == 0


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "Ctrl-C"])
def test_on_a_terminal_it_runs_until_a_key_and_leaves_the_terminal_as_it_was(metered: Path, key: bytes) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            COMMAND,
            cwd=ROOT,
            env=environment(metered),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=take_the_terminal,  # noqa: PLW1509 - no thread of the tests holds a lock that it needs.
        ) as process:
            read_until(ours, "audit OK: ")
            os.write(ours, key)
            last = read_until(ours, "\x1b[?1049l")
            assert process.wait(END_TIMEOUT_S) == 0
            assert "Traceback" not in last
    finally:
        os.close(theirs)
        os.close(ours)


def take_the_terminal() -> None:
    """Make the terminal the process' own, so that Ctrl-C reaches it."""
    import fcntl  # noqa: PLC0415
    import termios  # noqa: PLC0415

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_where_no_shop_runs_it_says_so(tmp_path: Path) -> None:
    ended = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False
    )
    assert ended.returncode == 1
    assert "make run" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_where_a_shop_has_left_its_file_behind_it_says_so(tmp_path: Path) -> None:
    gone = "127.0.0.1:1"
    ShopEnv(
        catalog_addr=gone,
        customer_addr=gone,
        order_addr=gone,
        catalog_dsn="",
        customer_dsn="",
        order_dsn="",
        admin_dsn="",
        **{f"{service}_metrics_url": f"http://{gone}/metrics" for service in ("catalog", "customer", "order")},
    ).write(tmp_path / "shop.env")
    ended = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False
    )
    assert ended.returncode == 1
    assert "No shop is running here" in ended.stderr

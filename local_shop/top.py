"""`make top`: how a running shop is doing, on a terminal."""

import asyncio
import os
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live

from local_shop.errors import LocalShopError
from local_shop.hot_discs import HotDisc, HotDiscs
from local_shop.scrape import Change, Scrape
from local_shop.shop import SERVICES
from local_shop.shop_env import SHOP_ENV, ShopEnv
from local_shop.spot_audit import SpotAudit
from local_shop.top_frame import Frame, orders_per_s

INTERVAL_S = 1.0
HISTORY_MAX = 60
# Whoever wants one frame does not wait long for an audit that reads millions of orders.
ONCE_AUDIT_TIMEOUT_S = 10.0
PLAIN_WIDTH = 100


class Readings:
    """The last two readings of each service."""

    def __init__(self, env: ShopEnv) -> None:
        self._urls = {service: getattr(env, f"{service}_metrics_url") for service in SERVICES}
        self._last: dict[str, Scrape | None] = dict.fromkeys(SERVICES)
        self.changes: dict[str, Change | None] = dict.fromkeys(SERVICES)

    async def read(self) -> None:
        """Ask all services at once; one that does not answer has no change until it was read twice again."""
        await asyncio.gather(*map(self._read, SERVICES))

    async def _read(self, service: str) -> None:
        before = self._last[service]
        try:
            now = await asyncio.to_thread(Scrape.read, self._urls[service])
        except OSError:
            self._last[service] = self.changes[service] = None
            return
        self._last[service] = now
        self.changes[service] = Change(before or now, now)


async def show_top(shop_dir: Path, *, once: bool) -> None:
    """Show frames until `q`, or one if the output is no terminal, or if that is wanted; LocalShopError if no shop runs."""
    env = ShopEnv.read(shop_dir / SHOP_ENV)
    if not env.order_metrics_url:
        raise LocalShopError("The shop that runs here has no metrics.")
    readings, audit = Readings(env), SpotAudit()
    async with HotDiscs(env) as hot_discs:
        await readings.read()
        if not any(readings.changes.values()):
            raise LocalShopError(f"No shop is running here, though {shop_dir / SHOP_ENV} tells of one.")
        if once or not sys.stdout.isatty():
            await audit.run(env, ONCE_AUDIT_TIMEOUT_S)
            await asyncio.sleep(INTERVAL_S)
            await readings.read()
            console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
            console.print(Frame(readings.changes, await hot_discs.read(), audit, ()).draw())
            return
        async with audit.repeated(env):
            await _show_until_q(readings, hot_discs, audit)


async def _show_until_q(readings: Readings, hot_discs: HotDiscs, audit: SpotAudit) -> None:
    history: deque[float] = deque(maxlen=HISTORY_MAX)
    discs: list[HotDisc] | None = []
    with _key_pressed("q") as quitting, Live(screen=True, auto_refresh=False) as live:
        while not quitting.is_set():
            order = readings.changes["order"]
            if order is not None:
                history.append(orders_per_s(order))
            discs = await hot_discs.read()
            live.update(Frame(readings.changes, discs, audit, history).draw(), refresh=True)
            try:
                await asyncio.wait_for(quitting.wait(), INTERVAL_S)
            except TimeoutError:
                await readings.read()
            if not any(readings.changes.values()):
                raise LocalShopError("The shop has closed.")


@contextmanager
def _key_pressed(key: str) -> Iterator[asyncio.Event]:
    """Yield what is set when the key is pressed; the terminal reads keys one by one inside, and as before afterwards."""
    pressed = asyncio.Event()
    if not sys.stdin.isatty():
        yield pressed
        return
    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def read() -> None:
        if key in os.read(descriptor, 64).decode(errors="replace"):
            pressed.set()

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield pressed
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

"""The demo: a shop of its own sells out under load, storms another disc, and is audited to the last copy."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from local_shop.audit import ShopAudit, audit_shop
from local_shop.demo_folder import DemoFolder
from local_shop.errors import LocalShopError
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.provision import provision
from local_shop.report import say, show_audit, shown_progress
from local_shop.run import passed_on
from local_shop.sale import Crowd, burst, gathered_crowd, make_disc, paced_sale
from local_shop.shop import LocalShop, ShopOptions
from local_shop.shop_env import ShopEnv
from local_shop.tally import Tally, percentile_ms
from recordshop.client import ShopError

DEMO_JSON = "demo.json"
BURST_SECONDS = 5
BURST_STOCK = 1_000_000
WARM_UP_CLIENTS = 20
WARM_UP_SECONDS = 0.5


@dataclass(frozen=True)
class DemoPlan:
    """How much is sold: `rate` orders a second for `seconds`, with copies for two thirds of them; then `clients` storm."""

    seconds: int
    rate: int
    clients: int

    @property
    def orders(self) -> int:
        """Orders of the paced sale."""
        return self.rate * self.seconds

    @property
    def opening(self) -> int:
        """Copies on stock: always two thirds of the orders."""
        return self.orders * 2 // 3


@dataclass
class DemoResult:
    """What happened in the two sales, and what the audit said."""

    audit: ShopAudit
    paced_disc: UUID
    paced: Tally
    burst: Tally
    burst_s: float
    faults: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether the promise was kept."""
        return self.audit.agrees and not self.faults

    @property
    def verdict(self) -> str:
        """The demo's last line."""
        return self.audit.verdict(self.paced_disc, agrees=self.agrees)

    def as_json(self) -> str:
        """Return the demo's figures."""
        disc = next(disc for disc in self.audit.databases.discs if disc.disc_id == self.paced_disc)
        counted = self.audit.databases
        figures = {
            "opening": disc.opening,
            "sold": disc.sold,
            "left": disc.left,
            "refused": self.paced.refused,
            "failed": self.paced.failed,
            "oversold": counted.oversold,
            "lost": counted.lost,
            "duplicated": counted.duplicated,
            "p50_ms": percentile_ms(self.paced.latencies_s, 0.5),
            "p99_ms": percentile_ms(self.paced.latencies_s, 0.99),
            "burst": {
                "orders_per_s": round(self.burst.sold / self.burst_s, 1),
                "sold": self.burst.sold,
                "refused": self.burst.refused,
                "failed": self.burst.failed,
                "p50_ms": percentile_ms(self.burst.latencies_s, 0.5),
                "p99_ms": percentile_ms(self.burst.latencies_s, 0.99),
            },
        }
        return json.dumps(figures, indent=2) + "\n"


def run_demo(plan: DemoPlan, shop_dir: Path) -> bool:
    """Run the demo in a folder of its own below `shop_dir`, write demo.json there, and return whether the audit agreed."""
    shop_dir.mkdir(parents=True, exist_ok=True)
    report = shop_dir / DEMO_JSON
    report.unlink(missing_ok=True)
    with DemoFolder(shop_dir) as folder:
        result = _run_in(folder.path, plan)
        folder.keep = not result.agrees
    unfinished = report.with_suffix(".unfinished")
    unfinished.write_text(result.as_json(), encoding="utf-8")
    unfinished.replace(report)
    say(f"Its figures are in {report}.")
    say(result.verdict)
    return result.agrees


def _run_in(folder: Path, plan: DemoPlan) -> DemoResult:
    start_s = time.monotonic()
    with LocalPostgres(data_dir=folder / "postgres", sync_new_files=False) as server:
        passwords = provision(server)
        say(f"PostgreSQL is up, migrated and seeded ({time.monotonic() - start_s:.1f} s).")
        options = ShopOptions(settings=passed_on(), log_of=lambda service: FileLog(folder / f"{service}.log"))
        with LocalShop(server, passwords, options) as shop:
            say(f"Catalog, customer and order service are SERVING ({time.monotonic() - start_s:.1f} s).")
            try:
                return asyncio.run(_sell(shop, plan))
            except ShopError as error:
                shop.raise_if_ended()
                raise LocalShopError(f"The shop did not answer: {error}") from error
            except LocalShopError:
                shop.raise_if_ended()
                raise


async def _sell(local: LocalShop, plan: DemoPlan) -> DemoResult:
    paced, stormed = Tally(), Tally()
    async with gathered_crowd(local) as crowd:
        paced_disc = await make_disc(crowd.shop, "We are Reactive (paced sale)", plan.opening)
        burst_disc = await make_disc(crowd.shop, "We are Reactive (burst)", BURST_STOCK)
        warm_up = await _warm_up(crowd, burst_disc)
        await _sell_paced(crowd, paced_disc, plan, paced)
        burst_s = await _storm(crowd, burst_disc, plan, stormed)
    audit = await audit_shop(ShopEnv.of(local), acknowledged=warm_up | paced.confirmed | stormed.confirmed)
    show_audit(audit)
    result = DemoResult(audit, UUID(paced_disc), paced, stormed, burst_s)
    result.faults = _faults(result)
    for fault in result.faults:
        say(f"WRONG: {fault}")
    return result


async def _warm_up(crowd: Crowd, disc_id: str) -> set[UUID]:
    """Let the services connect to their databases and to each other before anything is measured."""
    tally = Tally()
    await burst(crowd, disc_id, clients=WARM_UP_CLIENTS, seconds=WARM_UP_SECONDS, tally=tally, progress=_unseen)
    return tally.confirmed


def _unseen(tally: Tally) -> None:
    """Show no progress."""


async def _sell_paced(crowd: Crowd, disc_id: str, plan: DemoPlan, tally: Tally) -> None:
    say(f"{plan.opening} copies of one disc; {plan.orders} orders, {plan.rate} a second, each at its moment:")
    with shown_progress("Paced sale", orders=plan.orders, seconds=plan.seconds) as progress:
        await paced_sale(crowd, disc_id, orders=plan.orders, rate=plan.rate, tally=tally, progress=progress)


async def _storm(crowd: Crowd, disc_id: str, plan: DemoPlan, tally: Tally) -> float:
    say(f"{plan.clients} clients, as fast as they can, for {BURST_SECONDS} s on another disc:")
    with shown_progress("Burst     ", orders=None, seconds=BURST_SECONDS) as progress:
        return await burst(crowd, disc_id, clients=plan.clients, seconds=BURST_SECONDS, tally=tally, progress=progress)


def _faults(result: DemoResult) -> list[str]:
    """What an audit cannot see: it does not know who was refused, and when."""
    disc = next(disc for disc in result.audit.databases.discs if disc.disc_id == result.paced_disc)
    if result.paced.refused and disc.left:
        return [f"{result.paced.refused} orders were refused as sold out, and {disc.left} copies are left"]
    return []

"""A spell of chaos: load and faults together, then calm, in which everything has to come to its end and is judged."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from uuid import UUID

from local_shop.errors import LocalShopError
from local_shop.people import random_cpf
from recordshop.catalog.v1 import catalog_pb2, stock_pb2_grpc
from recordshop.channels import open_channel
from recordshop.client import RecordShop
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2_grpc
from tests.chaos.books import read_books
from tests.chaos.calm import ask_again, audit, buy_afresh, deliver, nothing_open, return_again
from tests.chaos.checks import judge
from tests.chaos.desk import Counter as ShopCounter
from tests.chaos.desk import Desk
from tests.chaos.faults import skipped
from tests.chaos.history import History
from tests.chaos.load import shop_until
from tests.chaos.nemesis import Nemesis, plan_faults
from tests.chaos.shopper import Shelf, Shopper
from tests.chaos.stage import Stage, all_stand
from tests.chaos.tally import Tally
from tests.chaos.violation import Violation
from tests.chaos.watcher import Watcher, told_all, watchers

PLENTY = 1_000_000
SHOW_INTERVAL_S = 5.0

Show = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What happens in one spell; weights are by kind, the kinds' own if None."""

    seconds: float = 30.0
    fault_interval_s: float = 1.4
    shoppers: int = 10
    settle_timeout_s: float = 30.0
    watchers: int = 3
    scarce: Sequence[int] = (40, 80, 120)
    faults: Mapping[str, int] | None = None
    load: Mapping[str, int] | None = None


class Spell:
    """One spell, with discs, customers and a history of its own; all choices follow from its seed."""

    def __init__(self, stage: Stage, plan: Plan, seed: str, show: Show) -> None:
        self._stage = stage
        self._plan = plan
        self._seed = seed
        self._show = show
        self._rng = random.Random(f"{seed} spell")
        self._history = History()
        self._nemesis = Nemesis(stage)
        self._discs: list[str] = []
        self._customers: list[str] = []

    async def run(self) -> Tally:
        """Runs the spell and answers what it came to."""
        await self._furnish()
        async with AsyncExitStack() as stack:
            channels = [
                [
                    await stack.enter_async_context(open_channel(address))
                    for address in (local.order_addr, local.catalog_addr)
                ]
                for local in self._stage.replicas
            ]
            counters = [
                ShopCounter(order_pb2_grpc.OrderServiceStub(order), stock_pb2_grpc.StockServiceStub(catalog))
                for order, catalog in channels
            ]
            desk = Desk(self._history, counters)
            watching = await stack.enter_async_context(
                watchers(self._history, self._stage, self._discs, self._plan.watchers)
            )
            with self._shown():
                recovery_s, open_orders, faults = await self._storm(desk)
            violations = [*faults, *await self._judge(desk, counters[0], open_orders, watching)]
        return Tally(
            faults=Counter(self._nemesis.struck),
            calls=Counter(self._history.outcomes),
            acknowledged=len(self._history.acknowledged()),
            open_orders_at_end=open_orders,
            recovery_s=recovery_s,
            violations=violations,
            struck=self._nemesis.told,
        )

    async def _furnish(self) -> None:
        """Puts discs and customers there while all is calm."""
        local = self._stage.replicas[0]
        stocks = (*self._plan.scarce, PLENTY)
        async with RecordShop(catalog=local.catalog_addr, customer=local.customer_addr) as shop:
            for number, stock in enumerate(stocks):
                disc = catalog_pb2.Disc(
                    name=f"Disc {number}",
                    artist="Chaos",
                    year_of_release=1999,
                    genre="Rock",
                    price_cents=1_000 + number,
                )
                self._discs.append((await shop.create_disc(disc, opening_stock=stock, disc_id=self._new_id())).id)
            for number in range(self._plan.shoppers):
                customer = customer_pb2.Customer(
                    document=random_cpf(),
                    name=f"Client {number}",
                    birth_date="1990-12-31",
                    email=f"client{number}@example.com",
                    phone="+55 11 91234-5678",
                    active=True,
                )
                self._customers.append((await shop.create_customer(customer, customer_id=self._new_id())).id)
        self._history.opening = dict(zip(self._discs, stocks, strict=True))

    async def _storm(self, desk: Desk) -> tuple[float, int, list[Violation]]:
        """Load and faults; answers the seconds from the last fault to the last open order, and what is open nevertheless."""
        plan, shelf, over = self._plan, Shelf(self._discs[:-1], self._discs[-1]), asyncio.Event()
        faults = plan_faults(
            random.Random(f"{self._seed} nemesis"),
            seconds=plan.seconds,
            interval_s=plan.fault_interval_s,
            skipped=skipped(self._stage.ground.disk),
            weights=plan.faults,
        )
        async with asyncio.TaskGroup() as group:
            for customer in self._customers:
                shopper = Shopper(desk, shelf, customer, f"{self._seed} {customer}")
                group.create_task(shop_until(shopper, over, plan.load))
            await self._nemesis.run(faults, self._history.now_s())
            last_fault_s = self._history.now_s()
            over.set()
        wrong = await self._all_stand()
        open_orders = await nothing_open(self._stage, plan.settle_timeout_s)
        return self._history.now_s() - last_fault_s, open_orders, wrong

    async def _all_stand(self) -> list[Violation]:
        try:
            await all_stand(self._stage)
        except LocalShopError as error:
            return [Violation("processes serve", "services", str(error))]
        return []

    async def _judge(
        self, desk: Desk, counter: ShopCounter, open_orders: int, watching: Sequence[Watcher]
    ) -> list[Violation]:
        found = []
        if not open_orders:
            found += await self._settle_accounts(desk, counter)
        await told_all(watching, self._stage, self._discs, self._plan.settle_timeout_s)
        return [*judge(self._history, await read_books(self._stage, self._discs, self._customers)), *found]

    async def _settle_accounts(self, desk: Desk, counter: ShopCounter) -> list[Violation]:
        """Has everybody ask again, now that there is plenty, and the shop audit itself."""
        try:
            await deliver(desk, self._discs)
            await ask_again(desk)
            await return_again(desk)
            await buy_afresh(desk, self._customers[0], self._discs)
        except TimeoutError:
            return [Violation("answers come", "the calm", "asked again and again, with nothing disturbed any more")]
        await nothing_open(self._stage, self._plan.settle_timeout_s)
        return await audit(counter.order, self._discs)

    @contextmanager
    def _shown(self) -> Iterator[None]:
        task = asyncio.create_task(self._show_figures())
        try:
            yield
        finally:
            task.cancel()

    async def _show_figures(self) -> None:
        while True:
            await asyncio.sleep(SHOW_INTERVAL_S)
            answered = sum(self._history.outcomes.values())
            self._show(
                f"{self._history.now_s():5.0f} s  faults {sum(self._nemesis.struck.values())}  calls {answered}  "
                f"acknowledged {len(self._history.acknowledged())}"
            )

    def _new_id(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))

"""Makes the rows: what each of them asks, of whom, and with how many clients."""

from benchmarks.books import CONFIRMED, REJECTED
from benchmarks.fresh_ids import SERVICE
from benchmarks.load import Call, LoadGenerator
from benchmarks.pace import Pace
from benchmarks.pgbench import Pgbench
from benchmarks.plan import Plan
from benchmarks.props import Props
from benchmarks.rows import BesideBatches, EchoRow, OrderRow, PgbenchRow
from benchmarks.shops import BenchShop
from benchmarks.usage import CpuMeter
from local_shop.postgres import LocalPostgres
from local_shop.processes import ServiceProcess

CREATE = f"/{SERVICE}/CreateOrder"
BATCH_CREATE = f"/{SERVICE}/BatchCreateOrders"
PLACE = f"/{SERVICE}/PlaceOrders"
# Orders in a message of a stream.
MESSAGE_SIZE = 100
# Single callers beside batches, and what they are beside.
BESIDE_CLIENTS, BESIDE_BATCH_CLIENTS, BESIDE_BATCH_SIZE = 20, 4, 1_000


class Menu:
    """Makes rows, all to one plan and with one client."""

    def __init__(self, plan: Plan, props: Props, generator: LoadGenerator) -> None:
        self._plan = plan
        self._props = props
        self._generator = generator

    def single(
        self,
        name: str,
        shop: BenchShop,
        *,
        clients: int | None = None,
        disc_id: str | None = None,
        generator: LoadGenerator | None = None,
        seconds: float | None = None,
    ) -> OrderRow:
        """Orders of one copy, one a call; of the hot disc unless another is named."""
        return OrderRow(
            name,
            shop=shop,
            generator=generator or self._generator,
            call=self._single_call(shop, disc_id or self._props.hot_disc_id),
            clients=clients or self._plan.clients,
            pace=self._pace(clients or self._plan.clients, seconds=seconds),
        )

    def refused(self, name: str, shop: BenchShop) -> OrderRow:
        """Orders of a disc of which no copy is left."""
        call = self._single_call(shop, self._props.sold_out_disc_id)
        return OrderRow(
            name,
            shop=shop,
            generator=self._generator,
            call=call,
            clients=self._plan.clients,
            pace=self._pace(self._plan.clients),
            status=REJECTED,
        )

    def batch(self, name: str, shop: BenchShop, *, size: int, clients: int) -> OrderRow:
        """Orders of the hot disc, `size` a call."""
        return OrderRow(
            name,
            shop=shop,
            generator=self._generator,
            call=self._batch_call(shop, size),
            clients=clients,
            pace=self._pace(clients, size=size),
            orders_per_call=size,
            status=CONFIRMED,
        )

    def stream(self, name: str, shop: BenchShop, *, clients: int) -> OrderRow:
        """Orders of the hot disc, as so many streams at once; a call is a whole stream, and another one follows it."""
        message = self._props.message(self._props.hot_disc_id, MESSAGE_SIZE).SerializeToString()
        size = MESSAGE_SIZE * self._plan.stream_messages
        return OrderRow(
            name,
            shop=shop,
            generator=self._generator,
            call=Call(shop.local.order_addr, PLACE, message, self._plan.stream_messages, entrance=shop.entrance),
            clients=clients,
            pace=self._pace(clients, size=size),
            orders_per_call=size,
        )

    def beside_batches(self, name: str, shop: BenchShop) -> BesideBatches:
        """Single callers beside full-speed batches, all of the hot disc."""
        return BesideBatches(
            name,
            shop=shop,
            generator=self._generator,
            single=self._single_call(shop, self._props.hot_disc_id),
            batch=self._batch_call(shop, BESIDE_BATCH_SIZE),
            clients=BESIDE_CLIENTS,
            batch_clients=BESIDE_BATCH_CLIENTS,
            batch_size=BESIDE_BATCH_SIZE,
            # The batches end last.
            pace=self._pace(BESIDE_CLIENTS, seconds=self._plan.round_s / 2),
            batch_pace=self._pace(BESIDE_BATCH_CLIENTS, size=BESIDE_BATCH_SIZE),
        )

    def echo(self, name: str, process: ServiceProcess) -> EchoRow:
        """Call the empty handler with the message of a single order."""
        message = self._props.request(self._props.hot_disc_id).SerializeToString()
        return EchoRow(
            name,
            generator=self._generator,
            call=Call(process.address, CREATE, message),
            clients=self._plan.clients,
            pace=self._pace(self._plan.clients),
            cpu=CpuMeter({process.name: process.pid}, postmaster=None),
        )

    def pgbench(self, name: str, pgbench: Pgbench, server: LocalPostgres) -> PgbenchRow:
        """Let the database's own benchmark do what it can."""
        cpu = CpuMeter({}, postmaster=server.pid)
        pace = self._pace(self._plan.clients)
        return PgbenchRow(name, pgbench=pgbench, clients=self._plan.clients, pace=pace, cpu=cpu)

    def _single_call(self, shop: BenchShop, disc_id: str) -> Call:
        message = self._props.request(disc_id).SerializeToString()
        return Call(shop.local.order_addr, CREATE, message, entrance=shop.entrance)

    def _batch_call(self, shop: BenchShop, size: int) -> Call:
        message = self._props.batch(self._props.hot_disc_id, size).SerializeToString()
        return Call(shop.local.order_addr, BATCH_CREATE, message, entrance=shop.entrance)

    def _pace(self, clients: int, *, seconds: float | None = None, size: int = 1) -> Pace:
        return Pace(
            seconds=seconds or self._plan.round_s, clients=clients, calls_max=max(1, self._plan.calls_max // size)
        )

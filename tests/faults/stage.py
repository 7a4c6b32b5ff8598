"""A shop whose processes a test holds, freezes, kills and starts again."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import grpc

from local_shop.ports import free_port
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.processes import ServiceProcess
from local_shop.shop import SERVICES, LocalShop, ShopOptions
from order_service.model import order_id_for
from recordshop.catalog.v1 import stock_pb2
from recordshop.channels import open_channel
from recordshop.client import RecordShop, RetryPolicy
from recordshop.customer.v1 import customer_pb2
from recordshop.error_details import error_from_rpc
from recordshop.errors import OutOfStock
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.faults.answers import answer_of
from tests.faults.books import Books
from tests.faults.entry import SOCKET_VARIABLE
from tests.faults.traps import Failpoints
from tests.faults.waiting import eventually
from tests.opened_shop import OpenedShop, opened

if TYPE_CHECKING:
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub

CALL_TIMEOUT_S = 10.0
EXIT_TIMEOUT_S = 10.0
KILLED = -9
# A caller who does not give up while the test runs.
PATIENCE_S = 40.0
PATIENT = RetryPolicy(attempts_max=1_000, attempt_timeout_s=5.0, backoff_first_s=0.02, backoff_max_s=0.2)
# Short, so that a test need not wait long for recovery, nor for a neighbour who is frozen.
SETTINGS = {
    "CATALOG_TIMEOUT_S": "1.5",
    "CUSTOMER_TIMEOUT_S": "1.5",
    "RECOVERY_AGE_S": "0.5",
    "RECOVERY_INTERVAL_S": "0.1",
    "RECOVERY_LEASE_S": "1.5",
    "RECOVERY_BACKOFF_MAX_S": "1.5",
    "QUEUE_LEASE_S": "1",
    "QUEUE_POLL_S": "0.1",
}
HASTY_ANONYMIZATION = {
    "ORDER_TIMEOUT_S": "1.5",
    "ANONYMIZATION_INTERVAL_S": "0.1",
    "ANONYMIZATION_LEASE_S": "0.5",
    "ANONYMIZATION_BACKOFF_MAX_S": "1",
}

Lines = Mapping[str, int]


class Stage:
    """Three processes with their failpoints wired; a patient client of theirs; and their books."""

    def __init__(
        self, *, shop: OpenedShop, client: RecordShop, failpoints: Failpoints, books: Books, customer_id: str
    ) -> None:
        self.shop = shop
        self.client = client
        self.failpoints = failpoints
        self.books = books
        self.customer_id = customer_id
        self.catalog, self.customer, self.order = shop.local.catalog, shop.local.customer, shop.local.order

    async def start(self, process: ServiceProcess) -> None:
        """Starts a process again, and waits until it serves everybody who has called it before."""
        process.start()
        await asyncio.to_thread(process.wait_serving)
        if process is self.order:
            request = order_pb2.GetOrderRequest(id=str(uuid4()))
            call = self.shop.order.GetOrder(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True)
            assert await call.code() is grpc.StatusCode.NOT_FOUND
        elif process in {self.catalog, self.customer} and self.order.exit_code is None:
            await eventually(self._order_service_is_answered, bool)

    async def _order_service_is_answered(self) -> bool:
        """Asks about somebody and something that only its neighbours know to be unknown; leaves nothing behind."""
        codes = []
        if self.customer.exit_code is None:
            stranger = self.request("stranger", {str(uuid4()): 1}, customer_id=str(uuid4()))
            codes.append(await self.shop.order.CreateOrder(stranger, timeout=CALL_TIMEOUT_S).code())
        if self.catalog.exit_code is None:
            unknown = order_pb2.AuditStockRequest(disc_ids=[str(uuid4())])
            codes.append(await self.shop.order.AuditStock(unknown, timeout=CALL_TIMEOUT_S).code())
        return set(codes) == {grpc.StatusCode.NOT_FOUND}

    async def died(self, process: ServiceProcess) -> None:
        """Waits until a process that was told to die is gone."""

        async def exit_code() -> int | None:
            return process.exit_code

        assert await eventually(exit_code, lambda code: code is not None, timeout_s=EXIT_TIMEOUT_S) == KILLED

    @asynccontextmanager
    async def recovery_at_rest(self) -> AsyncIterator[None]:
        """Holds every recovery at the beginning of a sweep, so that nobody but the callers drives orders."""
        async with self.failpoints.trap("recovery.claimed") as trap:
            await trap.reached()
            yield

    async def stand_up(self) -> None:
        """Lets every process that is frozen go on, and starts every one that is gone."""
        for process in (self.catalog, self.customer, self.order):
            if process.exit_code is None:
                process.resume()
            else:
                await self.start(process)

    @asynccontextmanager
    async def second_order_service(
        self, *, program: Sequence[str] | None = None, **settings: str
    ) -> AsyncIterator[tuple[ServiceProcess, "OrderServiceAsyncStub"]]:
        """Runs one more order service on the same database, with settings of its own, and by its own program if one is named."""
        port = free_port()
        process = ServiceProcess(
            name="second_order_service",
            port=port,
            program=program or self.order._program,
            settings={**self.order._settings, "ORDER_PORT": str(port), **settings},
            log=self.order._log,
        )
        try:
            await self.start(process)
            async with open_channel(process.address) as channel:
                yield process, order_pb2_grpc.OrderServiceStub(channel)
        finally:
            process.stop()

    async def disc(self, *, stock: int) -> str:
        """Makes a disc of the test's own, and answers its id."""
        return (await self.shop.make_disc(stock=stock)).id

    def order_id(self, request_id: str, customer_id: str | None = None) -> str:
        """The id that the customer's order with this request_id has, or will have."""
        return str(order_id_for(UUID(customer_id or self.customer_id), request_id))

    def request(
        self,
        request_id: str,
        lines: Lines,
        *,
        customer_id: str | None = None,
        mode: order_pb2.OrderMode.ValueType = order_pb2.ORDER_MODE_UNSPECIFIED,
    ) -> order_pb2.CreateOrderRequest:
        """The request of the stage's customer, or of another."""
        asked = [order_pb2.OrderLineRequest(disc_id=disc_id, quantity=quantity) for disc_id, quantity in lines.items()]
        return order_pb2.CreateOrderRequest(
            customer_id=customer_id or self.customer_id, lines=asked, request_id=request_id, mode=mode
        )

    async def place(
        self,
        request_id: str,
        lines: Lines,
        *,
        customer_id: str | None = None,
        mode: order_pb2.OrderMode.ValueType = order_pb2.ORDER_MODE_UNSPECIFIED,
        stub: "OrderServiceAsyncStub | None" = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> order_pb2.Order:
        """Asks once for an order; raises a ShopError."""
        request = self.request(request_id, lines, customer_id=customer_id, mode=mode)
        try:
            return await (stub or self.shop.order).CreateOrder(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error

    async def place_together(self, request_ids: Sequence[str], lines: Lines) -> list[order_pb2.CreateOrderResult]:
        """Asks for several orders in one call, which the service places as one group; raises a ShopError."""
        requests = [self.request(request_id, lines) for request_id in request_ids]
        try:
            response = await self.shop.order.BatchCreateOrders(
                order_pb2.BatchCreateOrdersRequest(requests=requests), timeout=CALL_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error
        return list(response.results)

    async def sell_out(self, disc_id: str, quantity: int) -> None:
        """Has an order of more copies than there are refused: from now on the order service expects the disc to be sold out."""
        answer = await answer_of(self.place(f"sold-out-{uuid4()}", {disc_id: quantity}))
        assert isinstance(answer, OutOfStock), answer

    async def place_at_last(self, request_id: str, lines: Lines) -> order_pb2.Order:
        """Asks with one request_id until there is an answer."""
        return await self.client.create_order(self.customer_id, lines, request_id=request_id, timeout_s=PATIENCE_S)

    async def cancel(
        self, order_id: str, *, stub: "OrderServiceAsyncStub | None" = None, timeout_s: float = CALL_TIMEOUT_S
    ) -> order_pb2.Order:
        """Asks once to cancel; raises a ShopError."""
        request = order_pb2.CancelOrderRequest(order_id=order_id, request_id="cancel")
        try:
            return await (stub or self.shop.order).CancelOrder(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error

    async def take_back(
        self,
        order_id: str,
        lines: Lines,
        request_id: str = "return",
        *,
        disposition: order_pb2.ReturnDisposition.ValueType = order_pb2.RETURN_DISPOSITION_RESTOCK,
        stub: "OrderServiceAsyncStub | None" = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> order_pb2.Order:
        """Asks once to return copies of an order; raises a ShopError."""
        asked = [order_pb2.OrderLineRequest(disc_id=disc_id, quantity=quantity) for disc_id, quantity in lines.items()]
        request = order_pb2.CancelOrderRequest(
            order_id=order_id, request_id=request_id, lines=asked, disposition=disposition
        )
        try:
            return await (stub or self.shop.order).CancelOrder(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error

    async def take_back_at_last(self, order_id: str, lines: Lines, request_id: str = "return") -> order_pb2.Order:
        """Asks to return copies of an order until there is an answer."""
        return await self.client.cancel_order(order_id, lines, request_id=request_id, timeout_s=PATIENCE_S)

    async def cancel_at_last(self, order_id: str) -> order_pb2.Order:
        """Asks to cancel until there is an answer."""
        return await self.client.cancel_order(order_id, request_id="cancel", timeout_s=PATIENCE_S)

    async def adjust(self, disc_id: str, delta: int, movement_id: str | None = None) -> stock_pb2.StockMovement:
        """Moves a disc's stock; raises a ShopError."""
        request = stock_pb2.AdjustStockRequest(
            disc_id=disc_id, movement_id=movement_id or str(uuid4()), delta=delta, reason="delivery"
        )
        try:
            return await self.shop.stock.AdjustStock(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error

    async def set_active(self, customer_id: str, *, active: bool) -> None:
        """Lets a customer buy, or no longer."""
        request = customer_pb2.UpdateCustomerRequest(customer=customer_pb2.Customer(id=customer_id, active=active))
        request.update_mask.paths.append("active")
        await self.shop.customer.UpdateCustomer(request, timeout=CALL_TIMEOUT_S)

    async def promise_kept(self, *disc_ids: str) -> None:
        """Waits until nothing is open; then orders, ledger and stock agree, on disk and by the service's own audit."""
        await self.books.nothing_open()
        await self.books.agree(*disc_ids)
        request = order_pb2.AuditStockRequest(disc_ids=disc_ids)
        audits = [audit async for audit in self.shop.order.AuditStock(request, timeout=PATIENCE_S)]
        assert {audit.disc_id for audit in audits} == set(disc_ids)
        for audit in audits:
            assert audit.verdict == order_pb2.AUDIT_VERDICT_AGREES, audit
            assert audit.left == await self.books.stock(audit.disc_id)
            assert (audit.held, audit.open) == (audit.sold, 0)


@asynccontextmanager
async def open_stage(
    server: LocalPostgres,
    passwords: Mapping[str, str],
    folder: Path,
    databases: Mapping[str, str],
    *,
    catalog: Mapping[str, str] | None = None,
    **settings: str,
) -> AsyncIterator[Stage]:
    """Starts a shop on these databases (by service), with failpoints in all of its services.

    `catalog` are further settings of the catalog, `settings` of the order service.
    """
    async with AsyncExitStack() as stack:
        failpoints = await stack.enter_async_context(Failpoints())
        wired = {SOCKET_VARIABLE: str(failpoints.socket)}
        options = ShopOptions(
            databases=databases,
            settings={
                "catalog": {**wired, **(catalog or {})},
                "customer": {**HASTY_ANONYMIZATION, **wired},
                "order": {**SETTINGS, **wired, **settings},
            },
            programs={name: ("-m", "tests.faults.entry", f"{name}_service") for name in SERVICES},
            log_of=lambda service: FileLog(folder / f"faults-{service}.log"),
        )
        local = stack.enter_context(LocalShop(server, passwords, options))
        shop = await stack.enter_async_context(opened(local))
        client = await stack.enter_async_context(RecordShop(order=local.order_addr, retry=PATIENT))
        pools = []
        for service in ("catalog", "order"):
            dsn = server.dsn(databases[service], "postgres", server.admin_password)
            pool = asyncpg.create_pool(dsn, min_size=0, max_size=2, command_timeout=CALL_TIMEOUT_S)
            pools.append(await stack.enter_async_context(pool))
        customer = await shop.make_customer()
        books = Books(catalog=pools[0], orders=pools[1])
        yield Stage(shop=shop, client=client, failpoints=failpoints, books=books, customer_id=customer.id)

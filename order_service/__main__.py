"""Starts the order service: `python -m order_service`."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from order_service.access import ORDERS
from order_service.audit import StockAudit
from order_service.batch import BatchPlacement
from order_service.cancellation import OrderCancellation
from order_service.catalog_client import CatalogClient
from order_service.changes import OrderChanges
from order_service.customer_client import CustomerClient
from order_service.intake import OrderIntake
from order_service.journal import Journal
from order_service.order_lines import OrderLines
from order_service.order_search import OrderSearch
from order_service.placement import GroupPlacer, bulk_lane, single_lane
from order_service.processing import OrderProcessing
from order_service.recovery import Recovery
from order_service.repository import OrderRepository
from order_service.return_client import ReturnClient
from order_service.return_processing import ReturnProcessing
from order_service.returning import OrderReturns
from order_service.returns import ReturnRepository
from order_service.search_mapping import PageLimits
from order_service.servicer import OrderServicer
from order_service.settings import OrderSettings
from order_service.streams import OrderStream
from order_service.watching import OrderWatching
from recordshop.catalog.v1 import stock_pb2
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from service_runtime.channels import open_channel
from service_runtime.command import run_service
from service_runtime.database import Database, open_database
from service_runtime.group_commit import GroupLimits
from service_runtime.place import Place
from service_runtime.server import GrpcServer
from service_runtime.tasks import DurableTasks
from service_runtime.watching import WatchHub, WatchLimits

SERVICE_NAME = order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
STOCK_SERVICE_NAME = stock_pb2.DESCRIPTOR.services_by_name["StockService"].full_name
CUSTOMER_SERVICE_NAME = customer_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name


async def serve(settings: OrderSettings, place: Place) -> None:
    """Builds the service from its parts and serves until a signal; the parts are closed in reverse order."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        catalog_channel = await stack.enter_async_context(
            open_channel(settings.catalog_addr, STOCK_SERVICE_NAME, settings)
        )
        customer_channel = await stack.enter_async_context(
            open_channel(settings.customer_addr, CUSTOMER_SERVICE_NAME, settings)
        )
        catalog = CatalogClient(channel=catalog_channel, timeout_s=settings.catalog_timeout_s)
        customers = CustomerClient(channel=customer_channel, timeout_s=settings.customer_timeout_s)
        hub = WatchHub(read=OrderChanges(database=database).since, limits=_watch_limits(settings))
        orders = OrderRepository(database=database, recovery_age_s=settings.recovery_age_s, changed=hub.hint)
        processing = OrderProcessing(orders=orders, catalog=catalog)
        returns = ReturnRepository(database=database, recovery_age_s=settings.recovery_age_s)
        return_processing = ReturnProcessing(
            returns=returns,
            stock=ReturnClient(channel=catalog_channel, timeout_s=settings.catalog_timeout_s),
            processing=processing,
        )
        recovery = _recovery(settings, database, orders, processing, return_processing)
        tasks = await stack.enter_async_context(
            DurableTasks(running_max=settings.cancels_running_max, drain_timeout_s=settings.drain_timeout_s)
        )
        placer = GroupPlacer(
            customers=customers,
            intake=OrderIntake(database=database, recovery_age_s=settings.recovery_age_s),
            orders=orders,
            processing=processing,
            timeout_s=settings.group_timeout_s,
        )
        single_limits, bulk_limits = _limits(settings)
        singles = await stack.enter_async_context(single_lane(placer, single_limits))
        bulk = await stack.enter_async_context(bulk_lane(placer, bulk_limits))
        batches = BatchPlacement(lane=bulk)
        servicer = OrderServicer(
            singles=singles,
            batches=batches,
            streams=OrderStream(
                batches=batches,
                in_flight_max=settings.stream_messages_in_flight_max,
                all_in_flight_max=settings.stream_messages_at_once_max,
                timeout_s=settings.call_timeout_s,
            ),
            cancellation=OrderCancellation(
                tasks=tasks,
                orders=orders,
                processing=processing,
                returns=OrderReturns(returns=returns, orders=orders, processing=return_processing),
                return_processing=return_processing,
            ),
            orders=orders,
            watching=OrderWatching(hub=hub),
            search=OrderSearch(database=database),
            audit=StockAudit(lines=OrderLines(database=database), catalog=catalog, settle_s=settings.audit_settle_s),
            page_limits=PageLimits(default=settings.page_size_default, largest=settings.page_size_max),
            call_timeout_s=settings.call_timeout_s,
        )
        server = GrpcServer(
            settings=settings,
            place=place,
            service_names=[SERVICE_NAME],
            access=[ORDERS],
            ping=database.ping,
            end_watches=hub.drain,
        )
        order_pb2_grpc.add_OrderServiceServicer_to_server(servicer, server.grpc)
        await stack.enter_async_context(recovery.running())
        await stack.enter_async_context(hub.running())
        await server.run_until_signal()


def _recovery(
    settings: OrderSettings,
    database: Database,
    orders: OrderRepository,
    processing: OrderProcessing,
    returns: ReturnProcessing,
) -> Recovery:
    journal = Journal(
        database=database,
        age_s=settings.recovery_age_s,
        lease_s=settings.recovery_lease_s,
        backoff_max_s=settings.recovery_backoff_max_s,
    )
    return Recovery(
        journal=journal,
        orders=orders,
        processing=processing,
        returns=returns,
        interval_s=settings.recovery_interval_s,
        lease_s=settings.recovery_lease_s,
        batch_size=settings.recovery_batch_size,
        concurrency=settings.recovery_concurrency,
    )


def _limits(settings: OrderSettings) -> tuple[GroupLimits, GroupLimits]:
    singles = GroupLimits(
        group_size_max=settings.group_size_max,
        waiting_max=settings.placements_waiting_max,
        in_flight_max=settings.groups_in_flight_max,
        drain_timeout_s=settings.drain_timeout_s,
    )
    bulk = replace(singles, waiting_max=settings.bulk_waiting_max, in_flight_max=settings.bulk_groups_in_flight_max)
    return singles, bulk


def _watch_limits(settings: OrderSettings) -> WatchLimits:
    return WatchLimits(
        watches_max=settings.watches_max, watched_max=settings.watches_max, interval_s=settings.watch_interval_s
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the service as the command line and the environment say."""
    run_service(
        "order",
        serve,
        settings_kind=OrderSettings,
        port_of=lambda settings: settings.order_port,
        arguments=arguments,
    )


if __name__ == "__main__":
    main()

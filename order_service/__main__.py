"""Starts the order service: `python -m order_service`."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import NamedTuple

import grpc

from order_service.access import ORDERS
from order_service.admission import Admission
from order_service.anonymizations import OrderAnonymization
from order_service.audit import StockAudit
from order_service.backlog import watched_backlog
from order_service.batch import BatchPlacement
from order_service.cancellation import OrderCancellation
from order_service.catalog_client import CatalogClient
from order_service.changes import Found, OrderChanges, SeenOrder
from order_service.customer_client import CustomerClient
from order_service.fair_lane import fair
from order_service.guarded_catalog import GuardedCatalog
from order_service.hybrid import Settling
from order_service.intake import OrderIntake
from order_service.journal import Journal
from order_service.lanes import LaneMaker
from order_service.metrics import BULK, CANCELS, SINGLES, OrderMetrics
from order_service.order_lines import OrderLines
from order_service.order_queue import OrderQueue
from order_service.order_search import OrderSearch
from order_service.placement import GroupPlacer, IntakePlacer, bulk_lane, single_lane
from order_service.processing import OrderProcessing
from order_service.queue_leases import QueueLeases
from order_service.queue_worker import QueueWorker
from order_service.recovery import Recovery
from order_service.repository import OrderRepository
from order_service.return_client import ReturnClient
from order_service.return_processing import ReturnProcessing
from order_service.returning import OrderReturns
from order_service.returns import ReturnRepository
from order_service.search_mapping import PageLimits
from order_service.servicer import OrderServicer
from order_service.settings import OrderSettings
from order_service.sold_out import SoldOutDiscs
from order_service.streams import OrderStream
from order_service.watching import OrderWatching
from recordshop.catalog.v1 import stock_pb2
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from service_runtime.channels import open_channel
from service_runtime.circuit_breaker import CircuitBreaker
from service_runtime.command import run_service
from service_runtime.database import Database, open_database
from service_runtime.fair_creates import open_fair_creates
from service_runtime.group_commit import GroupLimits
from service_runtime.methods import methods_of
from service_runtime.metrics import OVERLOADED
from service_runtime.place import Place
from service_runtime.server import GrpcServer
from service_runtime.tasks import DurableTasks
from service_runtime.watching import WatchHub, WatchLimits

SERVICE_NAME = order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
STOCK_SERVICE_NAME = stock_pb2.DESCRIPTOR.services_by_name["StockService"].full_name
CUSTOMER_SERVICE_NAME = customer_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name


class _Tables(NamedTuple):
    orders: OrderRepository
    intake: OrderIntake
    queue: OrderQueue
    returns: ReturnRepository
    journal: Journal


class _Driving(NamedTuple):
    """How open orders are driven on: for whoever waits for them, for those in the queue, for those of a time limit; and returns."""

    direct: OrderProcessing
    queued: OrderProcessing
    hybrid: OrderProcessing
    returns: ReturnProcessing


async def serve(settings: OrderSettings, place: Place, metrics: OrderMetrics | None) -> None:
    """Builds the service from its parts, from the bottom up, and serves until a signal; the parts are closed in reverse order."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(open_database(settings, metrics))
        stock = await enter(open_channel(settings.catalog_addr, STOCK_SERVICE_NAME, settings))
        people = await enter(open_channel(settings.customer_addr, CUSTOMER_SERVICE_NAME, settings))
        catalog = CatalogClient(channel=stock, timeout_s=settings.catalog_timeout_s)
        customers = CustomerClient(channel=people, timeout_s=settings.customer_timeout_s)
        hub = WatchHub(read=OrderChanges(database=database).since, limits=_watch_limits(settings))
        tables = _tables(settings, database, hub, metrics)
        driving = _driving(settings, tables, catalog, stock, metrics)
        cancellation = _cancellation(tables, driving, await enter(_tasks(settings, metrics)))
        lanes = _lanes(settings, stack, tables, driving, customers, metrics=metrics)
        singles, bulk = _limits(settings)
        shares = open_fair_creates(settings)
        batches = BatchPlacement(lane=fair(await lanes.make(bulk_lane, bulk, BULK), shares))
        servicer = OrderServicer(
            singles=fair(await lanes.make(single_lane, singles, SINGLES), shares),
            batches=batches,
            streams=_streams(settings, batches),
            cancellation=cancellation,
            orders=tables.orders,
            watching=OrderWatching(hub=hub),
            search=OrderSearch(database=database),
            audit=_audit(settings, database, catalog, metrics),
            anonymization=OrderAnonymization(database=database),
            page_limits=PageLimits(default=settings.page_size_default, largest=settings.page_size_max),
            call_timeout_s=settings.call_timeout_s,
        )
        server = _server(settings, place, servicer, database, hub, metrics=metrics)
        await enter(_recovery(settings, tables, driving, metrics).running())
        if metrics is not None:
            await enter(watched_backlog(tables.journal, metrics.open_work))
            metrics.watch_queue(lambda: tables.queue.waiting)
        await enter(_worker(settings, database, tables, driving).running())
        await enter(hub.running())
        await server.run_until_signal()


def _tables(
    settings: OrderSettings, database: Database, hub: WatchHub[SeenOrder, Found], metrics: OrderMetrics | None
) -> _Tables:
    stats = metrics and metrics.orders
    age_s = settings.recovery_age_s
    return _Tables(
        orders=OrderRepository(database=database, recovery_age_s=age_s, changed=hub.hint, stats=stats),
        intake=OrderIntake(database=database, recovery_age_s=age_s, stats=stats),
        queue=OrderQueue(database=database, waiting_max=settings.queue_waiting_max, stats=stats),
        returns=ReturnRepository(database=database, recovery_age_s=age_s),
        journal=Journal(
            database=database,
            age_s=age_s,
            lease_s=settings.recovery_lease_s,
            backoff_max_s=settings.recovery_backoff_max_s,
        ),
    )


def _driving(
    settings: OrderSettings,
    tables: _Tables,
    catalog: CatalogClient,
    stock: grpc.aio.Channel,
    metrics: OrderMetrics | None,
) -> _Driving:
    breaker = CircuitBreaker(failures_max=settings.breaker_failures_max, open_s=settings.breaker_open_s)
    if metrics is not None:
        metrics.watch_breaker(lambda: breaker.state)
    guarded = GuardedCatalog(catalog=catalog, breaker=breaker, slow_s=settings.breaker_slow_s)
    in_order = CatalogClient(channel=stock, timeout_s=settings.catalog_timeout_s, in_order=True)
    sold_out = SoldOutDiscs()
    direct = OrderProcessing(orders=tables.orders, catalog=catalog, sold_out=sold_out)
    return _Driving(
        direct=direct,
        queued=OrderProcessing(orders=tables.orders, catalog=in_order, sold_out=sold_out),
        hybrid=OrderProcessing(orders=tables.orders, catalog=guarded, sold_out=sold_out),
        returns=ReturnProcessing(
            returns=tables.returns,
            stock=ReturnClient(channel=stock, timeout_s=settings.catalog_timeout_s),
            processing=direct,
        ),
    )


def _tasks(settings: OrderSettings, metrics: OrderMetrics | None) -> DurableTasks:
    return DurableTasks(
        running_max=settings.cancels_running_max,
        drain_timeout_s=settings.drain_timeout_s,
        refused=metrics and metrics.refusals[CANCELS, OVERLOADED],
    )


def _cancellation(tables: _Tables, driving: _Driving, tasks: DurableTasks) -> OrderCancellation:
    return OrderCancellation(
        tasks=tasks,
        orders=tables.orders,
        processing=driving.direct,
        returns=OrderReturns(returns=tables.returns, orders=tables.orders, processing=driving.returns),
        return_processing=driving.returns,
    )


def _lanes(
    settings: OrderSettings,
    stack: AsyncExitStack,
    tables: _Tables,
    driving: _Driving,
    customers: CustomerClient,
    *,
    metrics: OrderMetrics | None,
) -> LaneMaker:
    opening = Admission(customers=customers, orders=tables.orders, insert=tables.intake.insert)
    queueing = Admission(customers=customers, orders=tables.orders, insert=tables.queue.insert)
    timeout_s = settings.group_timeout_s
    stats = metrics and metrics.orders
    return LaneMaker(
        stack=stack,
        deciding=GroupPlacer(admission=opening, processing=driving.direct, timeout_s=timeout_s, stats=stats),
        queueing=IntakePlacer(admission=queueing, is_full=tables.queue.is_full, stats=stats),
        opening=IntakePlacer(admission=opening, is_full=tables.queue.is_journal_full, stats=stats),
        settling=Settling(processing=driving.hybrid, timeout_s=timeout_s),
        budget_max_s=settings.hybrid_budget_max_s,
        margin_s=settings.hybrid_margin_s,
        default=settings.order_mode,
        metrics=metrics,
    )


def _streams(settings: OrderSettings, batches: BatchPlacement) -> OrderStream[order_pb2.PlaceOrdersRequest]:
    return OrderStream(
        batches=batches,
        in_flight_max=settings.stream_messages_in_flight_max,
        all_in_flight_max=settings.stream_messages_at_once_max,
        timeout_s=settings.call_timeout_s,
    )


def _audit(
    settings: OrderSettings, database: Database, catalog: CatalogClient, metrics: OrderMetrics | None
) -> StockAudit:
    return StockAudit(
        lines=OrderLines(database=database),
        catalog=catalog,
        settle_s=settings.audit_settle_s,
        stats=metrics and metrics.audit,
    )


def _server(
    settings: OrderSettings,
    place: Place,
    servicer: OrderServicer,
    database: Database,
    hub: WatchHub[SeenOrder, Found],
    *,
    metrics: OrderMetrics | None,
) -> GrpcServer:
    server = GrpcServer(
        settings=settings,
        place=place,
        service_names=[SERVICE_NAME],
        access=[ORDERS],
        ping=database.ping,
        end_watches=hub.drain,
        metrics=metrics,
    )
    order_pb2_grpc.add_OrderServiceServicer_to_server(servicer, server.grpc)
    return server


def _worker(settings: OrderSettings, database: Database, tables: _Tables, driving: _Driving) -> QueueWorker:
    return QueueWorker(
        database=database,
        queue=tables.queue,
        leases=QueueLeases(database=database, lease_s=settings.queue_lease_s),
        orders=tables.orders,
        processing=driving.queued,
        poll_s=settings.queue_poll_s,
        lease_s=settings.queue_lease_s,
        size_max=settings.group_size_max,
        partitions_at_once_max=settings.queue_partitions_at_once_max,
        timeout_s=settings.group_timeout_s,
    )


def _recovery(settings: OrderSettings, tables: _Tables, driving: _Driving, metrics: OrderMetrics | None) -> Recovery:
    return Recovery(
        journal=tables.journal,
        orders=tables.orders,
        processing=driving.direct,
        returns=driving.returns,
        interval_s=settings.recovery_interval_s,
        lease_s=settings.recovery_lease_s,
        batch_size=settings.recovery_batch_size,
        concurrency=settings.recovery_concurrency,
        stats=metrics and metrics.recovery,
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
        declare=lambda page: OrderMetrics(page, methods_of([SERVICE_NAME])),
        arguments=arguments,
    )


if __name__ == "__main__":
    main()

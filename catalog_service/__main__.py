"""The catalog's process: `python -m catalog_service`. Everything is put together here and nowhere else."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from catalog_service.access import DISCS, STOCK
from catalog_service.metrics import CONTENDING, MULTIPLES, SINGLES, CatalogMetrics
from catalog_service.model import PageSizes
from catalog_service.repository import DiscRepository
from catalog_service.servicer import CatalogServicer
from catalog_service.settings import CatalogSettings, StrategyName
from catalog_service.stock.changes import StockChanges
from catalog_service.stock.denials import DenialLedger
from catalog_service.stock.listing import StockListing
from catalog_service.stock.movements import MovementLedger
from catalog_service.stock.reservations import ReservationLedger
from catalog_service.stock.returns import ReturnLedger
from catalog_service.stock.servicer import StockServicer
from catalog_service.stock.strategies.atomic import AtomicStrategy
from catalog_service.stock.strategies.optimistic import ConflictRetries, OptimisticStrategy
from catalog_service.stock.strategies.pessimistic import PessimisticStrategy
from catalog_service.stock.taking import StockStrategy, StockTaking, contending_lane, multiple_lane, single_lane
from catalog_service.stock.watching import StockWatching
from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc, stock_pb2, stock_pb2_grpc
from service_runtime.command import run_service
from service_runtime.database import Database, open_database
from service_runtime.group_commit import GroupLimits
from service_runtime.methods import methods_of
from service_runtime.place import Place
from service_runtime.server import GrpcServer
from service_runtime.watching import WatchHub, WatchLimits

SERVICE_NAMES = (
    catalog_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name,
    stock_pb2.DESCRIPTOR.services_by_name["StockService"].full_name,
)


async def serve(settings: CatalogSettings, place: Place, metrics: CatalogMetrics | None) -> None:
    """Serves until SIGTERM."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, metrics))
        taking = await _taking(settings, database, metrics, stack)
        hub = WatchHub(read=StockChanges(database=database).since, limits=_watch_limits(settings))
        server = GrpcServer(
            settings=settings,
            place=place,
            service_names=SERVICE_NAMES,
            access=[DISCS, STOCK],
            ping=database.ping,
            end_watches=hub.drain,
            metrics=metrics,
        )
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(_catalog(settings, database), server.grpc)
        stock_pb2_grpc.add_StockServiceServicer_to_server(
            _stock(settings, database, taking, StockWatching(hub=hub), metrics), server.grpc
        )
        await stack.enter_async_context(hub.running())
        await server.run_until_signal()


def _catalog(settings: CatalogSettings, database: Database) -> CatalogServicer:
    return CatalogServicer(
        discs=DiscRepository(database=database),
        page_sizes=PageSizes(default=settings.page_size_default, largest=settings.page_size_max),
        batch_size_max=settings.batch_size_max,
    )


async def _taking(
    settings: CatalogSettings, database: Database, metrics: CatalogMetrics | None, stack: AsyncExitStack
) -> StockTaking:
    stats = metrics and metrics.stock
    ledger = ReservationLedger(database=database, stats=stats)
    strategy: StockStrategy
    match settings.strategy:
        case StrategyName.GROUPED:
            return await _grouped(settings, ledger, metrics, stack)
        case StrategyName.ATOMIC:
            strategy = AtomicStrategy(database=database, ledger=ledger, stats=stats)
        case StrategyName.PESSIMISTIC:
            strategy = PessimisticStrategy(database=database, stats=stats)
        case StrategyName.OPTIMISTIC:
            retries = ConflictRetries(
                attempts_max=settings.optimistic_attempts_max,
                backoff_first_s=settings.optimistic_backoff_first_s,
                backoff_max_s=settings.optimistic_backoff_max_s,
            )
            strategy = OptimisticStrategy(database=database, retries=retries, stats=stats)
    limits = _lane_limits(settings, in_flight_max=settings.contending_in_flight_max)
    lane = await stack.enter_async_context(contending_lane(strategy, limits, metrics and metrics.lane(CONTENDING)))
    return StockTaking(singles=lane, multiples=lane, contends=True)


async def _grouped(
    settings: CatalogSettings, ledger: ReservationLedger, metrics: CatalogMetrics | None, stack: AsyncExitStack
) -> StockTaking:
    singles = _lane_limits(settings, in_flight_max=settings.groups_in_flight_max)
    multiples = _lane_limits(settings, in_flight_max=settings.multiples_in_flight_max)
    return StockTaking(
        singles=await stack.enter_async_context(single_lane(ledger, singles, metrics and metrics.lane(SINGLES))),
        multiples=await stack.enter_async_context(
            multiple_lane(ledger, multiples, metrics and metrics.lane(MULTIPLES))
        ),
        contends=False,
    )


def _lane_limits(settings: CatalogSettings, *, in_flight_max: int) -> GroupLimits:
    return GroupLimits(
        group_size_max=settings.group_size_max,
        waiting_max=settings.reservations_waiting_max,
        in_flight_max=in_flight_max,
        drain_timeout_s=settings.drain_timeout_s,
    )


def _watch_limits(settings: CatalogSettings) -> WatchLimits:
    return WatchLimits(
        watches_max=settings.watches_max,
        watched_max=settings.watched_discs_max,
        interval_s=settings.watch_interval_s,
    )


def _stock(
    settings: CatalogSettings,
    database: Database,
    taking: StockTaking,
    watching: StockWatching,
    metrics: CatalogMetrics | None,
) -> StockServicer:
    return StockServicer(
        taking=taking,
        denials=DenialLedger(database=database, stats=metrics and metrics.stock),
        reservations=ReservationLedger(database=database),
        returns=ReturnLedger(database=database),
        movements=MovementLedger(database=database),
        listing=StockListing(database=database),
        watching=watching,
        page_sizes=PageSizes(default=settings.page_size_default, largest=settings.page_size_max),
        ledger_page_sizes=PageSizes(default=settings.ledger_page_size_default, largest=settings.ledger_page_size_max),
        call_timeout_s=settings.call_timeout_s,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the service as the command line and the environment say."""
    run_service(
        "catalog",
        serve,
        settings_kind=CatalogSettings,
        port_of=lambda settings: settings.catalog_port,
        declare=lambda page: CatalogMetrics(page, methods_of(SERVICE_NAMES)),
        arguments=arguments,
    )


if __name__ == "__main__":
    main()

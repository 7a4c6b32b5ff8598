"""The customer service's process: `python -m customer_service`."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog

from customer_service.access import CUSTOMERS
from customer_service.anonymization import Anonymization
from customer_service.anonymizations import PendingAnonymizations
from customer_service.documents import Documents, read_keys
from customer_service.edits import CustomerEdits
from customer_service.metrics import CustomerMetrics
from customer_service.model import PageSizes
from customer_service.order_client import OrderClient
from customer_service.registration import CustomerRegistration
from customer_service.repository import CustomerRepository
from customer_service.sealing import DocumentSealing
from customer_service.servicer import CustomerServicer
from customer_service.settings import CustomerSettings
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from recordshop.order.v1 import order_pb2
from service_runtime.channels import open_channel
from service_runtime.command import run_service
from service_runtime.database import Database, open_database
from service_runtime.fair_creates import open_fair_creates
from service_runtime.methods import methods_of
from service_runtime.place import Place
from service_runtime.server import GrpcServer

SERVICE_NAME = customer_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name
ORDER_SERVICE_NAME = order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name

log = structlog.get_logger(__name__)


async def serve(settings: CustomerSettings, place: Place, metrics: CustomerMetrics | None) -> None:
    """Puts the service together and runs it until it is told to stop."""
    if settings.document_key_file is None:
        log.warning("DOCUMENT_KEY_FILE is not given: documents are encrypted with a key that everybody knows")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, metrics))
        documents = Documents(read_keys(settings.document_key_file))
        sealing = DocumentSealing(database=database, documents=documents, interval_s=settings.sealing_interval_s)
        await stack.enter_async_context(sealing.running())
        order_channel = await stack.enter_async_context(open_channel(settings.order_addr, ORDER_SERVICE_NAME, settings))

        async def ping() -> None:
            await database.ping()
            documents.require_ready()

        server = GrpcServer(
            settings=settings,
            place=place,
            service_names=[SERVICE_NAME],
            access=[CUSTOMERS],
            ping=ping,
            metrics=metrics,
        )
        customers = CustomerRepository(database=database, documents=documents)
        anonymization = _anonymization(
            settings,
            database,
            customers,
            OrderClient(channel=order_channel, timeout_s=settings.order_timeout_s),
        )
        servicer = CustomerServicer(
            registration=CustomerRegistration(customers=customers, shares=open_fair_creates(settings)),
            customers=customers,
            anonymization=anonymization,
            edits=CustomerEdits(database=database, customers=customers),
            page_sizes=PageSizes(default=settings.page_size_default, largest=settings.page_size_max),
            batch_size_max=settings.batch_size_max,
        )
        customer_pb2_grpc.add_CustomerServiceServicer_to_server(servicer, server.grpc)
        await stack.enter_async_context(anonymization.running())
        await server.run_until_signal()


def _anonymization(
    settings: CustomerSettings, database: Database, customers: CustomerRepository, orders: OrderClient
) -> Anonymization:
    pending = PendingAnonymizations(
        database=database,
        lease_s=settings.anonymization_lease_s,
        backoff_max_s=settings.anonymization_backoff_max_s,
    )
    return Anonymization(
        customers=customers, pending=pending, orders=orders, interval_s=settings.anonymization_interval_s
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the service as the command line and the environment say."""
    run_service(
        "customer",
        serve,
        settings_kind=CustomerSettings,
        port_of=lambda settings: settings.customer_port,
        declare=lambda page: CustomerMetrics(page, methods_of([SERVICE_NAME])),
        arguments=arguments,
    )


if __name__ == "__main__":
    main()

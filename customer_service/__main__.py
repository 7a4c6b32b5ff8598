"""The customer service's process: `python -m customer_service`."""

from collections.abc import Sequence

from customer_service.access import CUSTOMERS
from customer_service.edits import CustomerEdits
from customer_service.metrics import CustomerMetrics
from customer_service.model import PageSizes
from customer_service.registration import CustomerRegistration
from customer_service.repository import CustomerRepository
from customer_service.servicer import CustomerServicer
from customer_service.settings import CustomerSettings
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from service_runtime.command import run_service
from service_runtime.database import open_database
from service_runtime.fair_creates import open_fair_creates
from service_runtime.methods import methods_of
from service_runtime.place import Place
from service_runtime.server import GrpcServer

SERVICE_NAME = customer_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name


async def serve(settings: CustomerSettings, place: Place, metrics: CustomerMetrics | None) -> None:
    """Puts the service together and runs it until it is told to stop."""
    async with open_database(settings, metrics) as database:
        server = GrpcServer(
            settings=settings,
            place=place,
            service_names=[SERVICE_NAME],
            access=[CUSTOMERS],
            ping=database.ping,
            metrics=metrics,
        )
        customers = CustomerRepository(database=database)
        servicer = CustomerServicer(
            registration=CustomerRegistration(customers=customers, shares=open_fair_creates(settings)),
            customers=customers,
            edits=CustomerEdits(database=database, customers=customers),
            page_sizes=PageSizes(default=settings.page_size_default, largest=settings.page_size_max),
            batch_size_max=settings.batch_size_max,
        )
        customer_pb2_grpc.add_CustomerServiceServicer_to_server(servicer, server.grpc)
        await server.run_until_signal()


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

"""The customer service's process: `python -m customer_service`."""

from customer_service.model import PageSizes
from customer_service.repository import CustomerRepository
from customer_service.servicer import CustomerServicer
from customer_service.settings import CustomerSettings
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from service_runtime.database import open_database
from service_runtime.logs import configure_logs
from service_runtime.server import GrpcServer, run_process
from service_runtime.settings import load_settings

SERVICE_NAME = customer_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name


async def serve(settings: CustomerSettings) -> None:
    """Puts the service together and runs it until it is told to stop."""
    async with open_database(settings) as database:
        server = GrpcServer(
            settings=settings, port=settings.customer_port, service_names=[SERVICE_NAME], ping=database.ping
        )
        servicer = CustomerServicer(
            customers=CustomerRepository(database=database),
            page_sizes=PageSizes(default=settings.page_size_default, largest=settings.page_size_max),
            batch_size_max=settings.batch_size_max,
        )
        customer_pb2_grpc.add_CustomerServiceServicer_to_server(servicer, server.grpc)
        await server.run_until_signal()


def main() -> None:
    """Reads the settings and serves."""
    settings = load_settings(CustomerSettings)
    configure_logs(service="customer", level=settings.log_level)
    run_process(serve(settings))


if __name__ == "__main__":
    main()

"""Settings of the customer service, as the environment names them in capitals."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from service_runtime.settings import DatabaseSettings, Port, ServerSettings

CustomersInAnAnswer = Annotated[int, Field(ge=1, le=1_000)]


class CustomerSettings(DatabaseSettings, ServerSettings):
    """Where the service listens, and how much it answers at once. The defaults are what the proto promises."""

    customer_port: Port = 50052
    customers_page_size_default: CustomersInAnAnswer = 50
    customers_page_size_max: CustomersInAnAnswer = 100
    customers_batch_size_max: CustomersInAnAnswer = 1_000

    @field_validator("customers_page_size_max")
    @classmethod
    def _not_below_the_default(cls, size_max: int, info: ValidationInfo) -> int:
        if size_max < info.data.get("customers_page_size_default", 1):
            raise ValueError("must not be less than CUSTOMERS_PAGE_SIZE_DEFAULT")
        return size_max

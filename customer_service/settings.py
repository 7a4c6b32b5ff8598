"""The customer service's settings, from the environment."""

from typing import Annotated

from pydantic import Field

from service_runtime.settings import CreateSettings, DatabaseSettings, Port, ServerSettings


class CustomerSettings(DatabaseSettings, CreateSettings, ServerSettings):
    """Where the service listens, and how much it answers at once. The defaults are the contract's."""

    customer_port: Port = 50052
    """The port to listen on; 0 takes any that is free."""
    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    """Customers on a page of a list whose caller gave no page_size."""
    page_size_max: Annotated[int, Field(ge=1, le=100)] = 100
    """Customers on a page at most, whatever its caller asked for."""
    batch_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """Ids in one BatchGetCustomers at most; more are INVALID_ARGUMENT."""

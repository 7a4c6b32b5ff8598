"""The customer service's settings, from the environment."""

from typing import Annotated

from pydantic import Field

from service_runtime.settings import DatabaseSettings, Port, ServerSettings


class CustomerSettings(DatabaseSettings, ServerSettings):
    """Where the service listens, and how much it answers at once. The defaults are the contract's."""

    customer_port: Port = 50052
    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    page_size_max: Annotated[int, Field(ge=1, le=100)] = 100
    batch_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000

"""The catalog's settings, from the environment."""

from typing import Annotated

from pydantic import Field

from service_runtime.settings import DatabaseSettings, Port, ServerSettings


class CatalogSettings(DatabaseSettings, ServerSettings):
    """Where the service listens, and how much it answers at once. The defaults are the contract's."""

    catalog_port: Port = 50051
    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    page_size_max: Annotated[int, Field(ge=1, le=100)] = 100
    ledger_page_size_default: Annotated[int, Field(ge=1, le=1_000)] = 100
    ledger_page_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    batch_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000

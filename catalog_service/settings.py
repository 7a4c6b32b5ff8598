"""The catalog's settings, from the environment."""

from typing import Annotated

from pydantic import Field

from service_runtime.settings import DatabaseSettings, Port, Seconds, ServerSettings, WatchSettings


class CatalogSettings(DatabaseSettings, ServerSettings, WatchSettings):
    """Where the service listens, and how much it answers at once. The defaults are the contract's."""

    catalog_port: Port = 50051
    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    page_size_max: Annotated[int, Field(ge=1, le=100)] = 100
    ledger_page_size_default: Annotated[int, Field(ge=1, le=1_000)] = 100
    ledger_page_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    batch_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000

    # How long a reservation may take whose caller gave no deadline.
    call_timeout_s: Seconds = 10.0
    # Reservations of one line are decided in groups; those of several lines one by one, several at once. More than may wait are refused.
    group_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    groups_in_flight_max: Annotated[int, Field(ge=1, le=16)] = 2
    reservations_waiting_max: Annotated[int, Field(ge=1_000, le=1_000_000)] = 10_000
    multiples_in_flight_max: Annotated[int, Field(ge=1, le=64)] = 4

    watched_discs_max: Annotated[int, Field(ge=100, le=100_000)] = 1_000
    """Different discs that may be watched at once, in each worker; each is looked at every WATCH_INTERVAL_S. More are OVERLOADED."""

"""The catalog's settings, from the environment."""

from typing import Annotated

from pydantic import Field

from service_runtime.settings import DatabaseSettings, Port, Seconds, ServerSettings, WatchSettings


class CatalogSettings(DatabaseSettings, ServerSettings, WatchSettings):
    """Where the service listens, and how much it answers at once. The defaults are the contract's."""

    catalog_port: Port = 50051
    """The port to listen on; 0 takes any that is free."""
    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    """Entries on a page of a list whose caller gave no page_size."""
    page_size_max: Annotated[int, Field(ge=1, le=100)] = 100
    """Entries on a page at most, whatever its caller asked for."""
    ledger_page_size_default: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Entries on a page of ListReservations whose caller gave no page_size."""
    ledger_page_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """Entries on a page of ListReservations at most."""
    batch_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """Ids in one BatchGetDiscs at most; more are INVALID_ARGUMENT."""

    call_timeout_s: Seconds = 10.0
    """Seconds that a reservation may take whose caller gave no deadline."""
    group_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """Reservations of one line that one statement decides together. Fewer make a group quicker, and the sale of a hot disc slower."""
    groups_in_flight_max: Annotated[int, Field(ge=1, le=16)] = 2
    """Such groups under way at once; two never have a disc in common."""
    reservations_waiting_max: Annotated[int, Field(ge=1_000, le=1_000_000)] = 10_000
    """Reservations that may wait for a group, in each worker; more are refused as OVERLOADED."""
    multiples_in_flight_max: Annotated[int, Field(ge=1, le=64)] = 4
    """Reservations of several lines under way at once; these are decided one by one."""

    watched_discs_max: Annotated[int, Field(ge=100, le=100_000)] = 1_000
    """Different discs that may be watched at once, in each worker; each is looked at every WATCH_INTERVAL_S. More are OVERLOADED."""

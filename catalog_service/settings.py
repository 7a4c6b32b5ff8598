"""The catalog's settings, from the environment."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from service_runtime.base_settings import Port
from service_runtime.settings import DatabaseSettings, ServerSettings, WatchSettings


class StrategyName(StrEnum):
    """How reservations are decided: in groups, or one by one in one of three ways."""

    GROUPED = "grouped"
    ATOMIC = "atomic"
    PESSIMISTIC = "pessimistic"
    OPTIMISTIC = "optimistic"


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

    stock_strategy: StrategyName = StrategyName.GROUPED
    """How reservations are decided: in groups, or one by one as docs/protocol.md tells. Only `grouped` gets no slower on a hot disc."""
    use_optimistic_cc: bool = False
    """`true` is the older way to say STOCK_STRATEGY=optimistic; one that says otherwise beside it is an error."""
    optimistic_attempts_max: Annotated[int, Field(ge=1, le=100)] = 5
    """Attempts at a reservation under STOCK_STRATEGY=optimistic; when all met a conflict, it is answered CONFLICT_RETRIES_EXHAUSTED."""
    optimistic_backoff_first_s: Annotated[float, Field(ge=0, le=1)] = 0.005
    """Seconds between the first two of them at most, by chance; twice that before the next one, and so on."""
    optimistic_backoff_max_s: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Seconds between two of them at most."""
    contending_in_flight_max: Annotated[int, Field(ge=1, le=200)] = 12
    """Reservations under way at once where they are not grouped. Each takes a connection of POSTGRES_POOL_SIZE_MAX."""

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

    @property
    def strategy(self) -> StrategyName:
        """The strategy that the two settings together name."""
        return StrategyName.OPTIMISTIC if self.use_optimistic_cc else self.stock_strategy

    @model_validator(mode="after")
    def _strategies_agree(self) -> Self:
        both_are_set = {"stock_strategy", "use_optimistic_cc"} <= self.model_fields_set
        if both_are_set and self.use_optimistic_cc != (self.stock_strategy is StrategyName.OPTIMISTIC):
            said = f"STOCK_STRATEGY={self.stock_strategy}", f"USE_OPTIMISTIC_CC={str(self.use_optimistic_cc).lower()}"
            raise ValueError(f"{said[0]} contradicts {said[1]}: set one of them")
        return self

"""The order service's settings."""

from typing import Annotated, ClassVar

from pydantic import Field

from service_runtime import lockdown
from service_runtime.settings import Address, DatabaseSettings, Port, Seconds, ServerSettings, WatchSettings


class OrderSettings(DatabaseSettings, ServerSettings, WatchSettings):
    """What the environment says; see the defaults."""

    needed_outside: ClassVar[tuple[str, ...]] = lockdown.CALLED_BY_PEOPLE

    order_port: Port = 50053
    catalog_addr: Address = "127.0.0.1:50051"
    customer_addr: Address = "127.0.0.1:50052"

    # How long a call may take whose caller gave no deadline, and how long one question to a neighbour may.
    call_timeout_s: Seconds = 10.0
    catalog_timeout_s: Seconds = 2.0
    customer_timeout_s: Seconds = 1.0

    # Orders are placed in groups: single ones in a lane that never has two groups under way with a disc in common, those of batches in
    # another one. More than may wait are refused. Customers are asked for ahead of that, a group's at once.
    group_size_max: Annotated[int, Field(ge=1, le=1_000)] = 500
    groups_in_flight_max: Annotated[int, Field(ge=1, le=16)] = 2
    bulk_groups_in_flight_max: Annotated[int, Field(ge=1, le=16)] = 2
    placements_waiting_max: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    bulk_waiting_max: Annotated[int, Field(ge=1_000, le=1_000_000)] = 10_000
    # Of one stream, and of all together: 100 orders each, which half fill the queue above.
    stream_messages_in_flight_max: Annotated[int, Field(ge=1, le=1_000)] = 32
    stream_messages_at_once_max: Annotated[int, Field(ge=1, le=10_000)] = 50
    group_timeout_s: Seconds = 5.0
    # Cancels under way at once; more are refused.
    cancels_running_max: Annotated[int, Field(ge=1, le=100_000)] = 200

    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    page_size_max: Annotated[int, Field(ge=1, le=1_000)] = 100

    # Open work is its maker's for recovery_age_s; then recovery drives it on, again after recovery_lease_s, twice that, and so on up to
    # recovery_backoff_max_s.
    recovery_age_s: Seconds = 5.0
    recovery_interval_s: Seconds = 0.5
    recovery_lease_s: Seconds = 3.0
    recovery_backoff_max_s: Seconds = 10.0
    recovery_batch_size: Annotated[int, Field(ge=1, le=1_000)] = 100
    recovery_concurrency: Annotated[int, Field(ge=1, le=100)] = 8

    # How long an audit reads again what is not final, before it calls it open.
    audit_settle_s: Seconds = 10.0

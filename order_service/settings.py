"""The order service's settings."""

from typing import Annotated

from pydantic import Field

from order_service.model import OrderMode
from service_runtime.settings import Address, DatabaseSettings, Port, Seconds, ServerSettings, WatchSettings


class OrderSettings(DatabaseSettings, ServerSettings, WatchSettings):
    """What the environment says; see the defaults."""

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
    order_mode: OrderMode = OrderMode.SYNC
    """When CreateOrder answers a caller who names no mode: sync (decided), async (taken in) or hybrid (decided if that is soon)."""
    hybrid_budget_max_s: Seconds = 1.0
    """Seconds that a hybrid order's caller waits for the decision at most; less if the caller's own deadline is sooner."""
    hybrid_margin_s: Seconds = 0.1
    """Seconds before the caller's deadline at which a hybrid order is answered as PENDING, so that the answer still arrives."""
    breaker_failures_max: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Groups of hybrid orders in a row that the catalog fails, or is slow over, before it is not asked for a while."""
    breaker_slow_s: Seconds = 0.5
    """Seconds after which an answer to a group of hybrid orders counts as a failure."""
    breaker_open_s: Seconds = 2.0
    """Seconds for which the catalog is not asked for hybrid orders; then one group at a time tries it."""
    queue_waiting_max: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Async orders that may wait for their decision, over all processes, whom each counts every QUEUE_POLL_S; more are OVERLOADED."""
    queue_poll_s: Seconds = 0.5
    """Seconds between two looks at the queue when no hint comes, and before a partition that could not be decided is tried again."""
    queue_lease_s: Seconds = 5.0
    """Seconds after which the partitions of a worker that has died are taken over."""
    queue_partitions_at_once_max: Annotated[int, Field(ge=1, le=16)] = 4
    """Partitions of the queue that one worker has decided at once."""
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

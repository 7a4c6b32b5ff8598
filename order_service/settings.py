"""The order service's settings."""

from typing import Annotated, ClassVar

from pydantic import Field

from order_service.model import OrderMode
from service_runtime import lockdown
from service_runtime.access_settings import CreateSettings
from service_runtime.base_settings import Address, Port, Seconds
from service_runtime.settings import DatabaseSettings, ServerSettings, WatchSettings


class OrderSettings(DatabaseSettings, CreateSettings, ServerSettings, WatchSettings):
    """What the environment says; see the defaults."""

    needed_outside: ClassVar[tuple[str, ...]] = lockdown.CALLED_BY_PEOPLE

    order_port: Port = 50053
    """The port to listen on; 0 takes any that is free."""
    catalog_addr: Address = "127.0.0.1:50051"
    """Where the catalog answers, as host:port."""
    customer_addr: Address = "127.0.0.1:50052"
    """Where the customer service answers, as host:port."""

    catalog_timeout_s: Seconds = 2.0
    """Seconds that one question to the catalog may take; after that the orders in it stay PENDING and recovery asks again."""
    customer_timeout_s: Seconds = 1.0
    """Seconds that one question to the customer service may take; after that the orders in it are answered NOT_ACCEPTED."""

    group_size_max: Annotated[int, Field(ge=1, le=1_000)] = 500
    """Orders that are placed together. Fewer make a group quicker, and the sale of a hot disc slower."""
    groups_in_flight_max: Annotated[int, Field(ge=1, le=16)] = 2
    """Groups of single orders under way at once; two never have a disc in common."""
    bulk_groups_in_flight_max: Annotated[int, Field(ge=1, le=16)] = 2
    """Groups of orders from batches and streams under way at once; they have a lane of their own."""
    placements_waiting_max: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    """Single orders that may wait for a group, in each worker; more are refused as OVERLOADED."""
    bulk_waiting_max: Annotated[int, Field(ge=1_000, le=1_000_000)] = 10_000
    """Orders of batches and streams that may wait for a group, in each worker; more are refused as OVERLOADED."""
    stream_messages_in_flight_max: Annotated[int, Field(ge=1, le=1_000)] = 32
    """Messages of one PlaceOrders stream under way at once; the next one is read when one of them is answered."""
    stream_messages_at_once_max: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Messages of all streams together under way at once, of up to 100 orders each. The default half fills BULK_WAITING_MAX."""
    group_timeout_s: Seconds = 5.0
    """Seconds that a group may take, whatever the deadlines of those in it."""

    postgres_pool_size_max: Annotated[int, Field(ge=2, le=200)] = 16
    """Connections to the database at most, in each worker; one of them listens for orders that wait in the queue."""
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
    """Async orders that may wait for their decision, and others that may be open when a hybrid one comes; more are OVERLOADED. Counted over
    all processes, every QUEUE_POLL_S."""
    queue_poll_s: Seconds = 0.5
    """Seconds between two looks at the queue when no hint comes, and before a partition that could not be decided is tried again."""
    queue_lease_s: Seconds = 5.0
    """Seconds after which the partitions of a worker that has died are taken over."""
    queue_partitions_at_once_max: Annotated[int, Field(ge=1, le=16)] = 4
    """Partitions of the queue that one worker has decided at once."""

    cancels_running_max: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Cancels and returns under way at once, in each worker; more are refused as OVERLOADED."""

    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    """Orders on a page of a list whose caller gave no page_size."""
    page_size_max: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Orders on a page at most, whatever its caller asked for."""

    recovery_age_s: Seconds = 5.0
    """Seconds that open work is left to the process that began it; then recovery drives it on."""
    recovery_interval_s: Seconds = 0.5
    """Seconds between two looks for open work that nobody drives."""
    recovery_lease_s: Seconds = 3.0
    """Seconds that recovery has for one piece of open work, and waits before it tries again: twice that the next time, and so on."""
    recovery_backoff_max_s: Seconds = 10.0
    """Seconds between two such tries at most."""
    recovery_batch_size: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Pieces of open work that one look takes; a full batch is followed by the next one at once."""
    recovery_concurrency: Annotated[int, Field(ge=1, le=100)] = 8
    """Pieces of open work that are driven at once."""

    audit_settle_s: Seconds = 10.0
    """Seconds that an audit reads again what is not final, before it calls it open."""

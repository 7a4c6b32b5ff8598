"""The queue's worker, with a line and a catalog of the test's own."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from order_service.errors import CatalogUnavailable, ConflictRetriesExhausted
from order_service.model import Order, OrderLine, OrderStatus
from order_service.order_queue import QueuedGroup
from order_service.processing import Outcome
from order_service.queue_worker import QueueWorker
from service_runtime.deadline import Deadline

SERVED_MAX = 3
LINE = 40
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ORDER = Order(
    id=uuid4(),
    request_id="one",
    customer_id=uuid4(),
    customer_name="Ana",
    masked_document="***.982.247-**",
    fingerprint=bytes(16),
    lines=[OrderLine(uuid4(), 1)],
    total_cents=0,
    status=OrderStatus.PENDING,
    reason=None,
    refused_disc_ids=(),
    create_time=NOW,
    update_time=NOW,
)


class Line:
    """One partition with one row, whose orders a catalog decides that serves few at once."""

    def __init__(self) -> None:
        self.order_ids = [uuid4() for _ in range(LINE)]
        self.decided: list[UUID] = []
        self.asked: list[int] = []
        self.done = asyncio.Event()

    async def partitions(self) -> list[int]:
        return [] if self.done.is_set() else [0]

    async def count(self) -> None:
        return None

    async def head(self, partition: int, groups_max: int) -> list[QueuedGroup]:
        return [] if self.done.is_set() else [QueuedGroup(1, self.order_ids, None)]

    async def close(self, partition: int, groups: Sequence[QueuedGroup]) -> None:
        if len(self.decided) == LINE:
            self.done.set()

    async def get_durable(self, order_ids: Sequence[UUID]) -> list[Order]:
        done = set(self.decided)
        status = {True: OrderStatus.CONFIRMED, False: OrderStatus.PENDING}
        return [
            ORDER._replace(id=order_id, partition=0, status=status[order_id in done]) for order_id in sorted(order_ids)
        ]

    async def settle(self, orders: Sequence[Order], deadline: Deadline) -> Sequence[Outcome]:
        self.asked.append(len(orders))
        if len(orders) > SERVED_MAX:
            raise CatalogUnavailable
        self.decided += [order.id for order in orders]
        return orders


class Contended(Line):
    """The same, whose catalog meets others first at each order, a few times."""

    conflicts = 3

    async def settle(self, orders: Sequence[Order], deadline: Deadline) -> Sequence[Outcome]:
        self.asked.append(len(orders))
        if len(self.asked) <= self.conflicts:
            return [ConflictRetriesExhausted(), *[CatalogUnavailable()] * (len(orders) - 1)]
        self.decided += [order.id for order in orders]
        return orders


async def work_off(line: Any) -> None:
    """Let a worker run until the line is empty."""

    async def nothing(*_: object) -> None:
        return None

    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    worker = QueueWorker(
        database=SimpleNamespace(listen=for_ever),  # type: ignore[arg-type]
        queue=line,
        leases=SimpleNamespace(held={0}, renew=nothing, give_up=nothing),  # type: ignore[arg-type]
        orders=line,
        processing=line,
        poll_s=0.001,
        lease_s=1.0,
        size_max=LINE,
        partitions_at_once_max=1,
        timeout_s=1.0,
    )
    async with asyncio.timeout(20), worker.running():
        await line.done.wait()


async def test_a_line_that_is_too_long_for_one_call_is_asked_for_in_parts() -> None:
    line = Line()
    await work_off(line)
    assert line.decided == line.order_ids, "in their order, each once"
    assert line.asked[0] == LINE


async def test_a_line_whose_head_meets_conflicts_is_asked_for_whole_again() -> None:
    line = Contended()
    await work_off(line)
    assert line.decided == line.order_ids
    assert line.asked == [LINE] * (Contended.conflicts + 1)

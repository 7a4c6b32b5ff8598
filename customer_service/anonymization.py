"""How a person is removed: from the customer first, then from the orders, whoever is killed in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from customer_service.anonymizations import PendingAnonymizations
from customer_service.errors import AnonymizationPending, CustomerNotFound
from customer_service.model import Customer
from customer_service.order_client import OrderClient
from customer_service.repository import CustomerRepository
from service_runtime import failpoints
from service_runtime.background import beside
from service_runtime.errors import ServiceError

BATCH_SIZE = 50

log = structlog.get_logger(__name__)


class Anonymization:
    """Anonymizes customers, and drives what others began and did not end; several processes may do so together."""

    def __init__(
        self,
        *,
        customers: CustomerRepository,
        pending: PendingAnonymizations,
        orders: OrderClient,
        interval_s: float,
    ) -> None:
        self._customers = customers
        self._pending = pending
        self._orders = orders
        self._interval_s = interval_s

    async def anonymize(self, customer_id: UUID, owner: UUID | None) -> Customer:
        """Answers the customer without the person, who is gone from the orders too.

        Raises CustomerNotFound, or AnonymizationPending if the orders follow later.
        """
        figures = {"customer_id": str(customer_id)}
        if not await self._pending.begin(customer_id, owner):
            raise CustomerNotFound(figures)
        await failpoints.reach("customer.anonymized")
        customer = await self._customers.get(customer_id, owner)
        if await self._pending.is_pending(customer_id):
            try:
                await self._drive(customer_id)
            except ServiceError as error:
                raise AnonymizationPending(figures) from error
        return customer

    async def _drive(self, customer_id: UUID) -> None:
        await self._orders.anonymize(customer_id)
        await failpoints.reach("customer.orders_anonymized")
        await self._pending.close(customer_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Owns the task that drives what is pending, from here to the end of the block."""
        async with beside(self._run()):
            yield

    async def _run(self) -> None:
        while True:
            claimed = 0
            try:
                claimed = await self.sweep()
            except ServiceError as error:
                log.warning("anonymizations wait", reason=error.reason)
            except Exception as error:  # noqa: BLE001 - it must outlive whatever one sweep meets.
                log.error("anonymizations failed", error=type(error).__name__)  # noqa: TRY400 - texts of errors quote rows.
            if claimed < BATCH_SIZE:
                await asyncio.sleep(self._interval_s)

    async def sweep(self) -> int:
        """Drives some of what is pending, one after the other, and answers how many there were."""
        customer_ids = await self._pending.claim(BATCH_SIZE)
        for customer_id in customer_ids:
            try:
                await self._drive(customer_id)
            except ServiceError as error:
                log.warning(
                    "orders still hold a customer's snapshot", customer_id=str(customer_id), reason=error.reason
                )
            else:
                log.info("a customer's orders were anonymized", customer_id=str(customer_id))
        return len(customer_ids)

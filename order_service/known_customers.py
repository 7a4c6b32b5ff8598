"""Customers whom the order service has heard of lately."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from order_service.model import Customer

CUSTOMERS_KEPT_MAX = 10_000


class KnownCustomers:
    """Customers as they were at the moment that `sync_token` stands for; empty before the first answer.

    Nobody may act on what is kept here without having asked first who was edited since that moment.
    """

    def __init__(self) -> None:
        self.sync_token = ""
        self._customers: dict[UUID, Customer] = {}

    def of(self, customer_ids: Iterable[UUID]) -> dict[UUID, Customer]:
        """Answers those of these customers who are kept."""
        kept = self._customers
        return {customer_id: kept[customer_id] for customer_id in customer_ids if customer_id in kept}

    def learn(
        self, asked_with: str, sync_token: str, *, edited: Mapping[UUID, Customer], found: Mapping[UUID, Customer]
    ) -> None:
        """Moves on to the moment of an answer, unless another answer has done so since the question was asked."""
        if asked_with != self.sync_token:
            return
        self.sync_token = sync_token
        self._customers.update({customer_id: edited[customer_id] for customer_id in self._customers.keys() & edited})
        self._customers.update(found)
        while len(self._customers) > CUSTOMERS_KEPT_MAX:
            # The first who came.
            del self._customers[next(iter(self._customers))]

    def forget(self, asked_with: str) -> None:
        """Forgets everybody, unless that has happened since the question was asked."""
        if asked_with == self.sync_token:
            self.sync_token = ""
            self._customers.clear()

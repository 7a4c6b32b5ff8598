"""What one caller may create in a time, and what for one customer, so that something is left for the others."""

import math
from collections.abc import Mapping
from uuid import UUID

from service_runtime.access_settings import CreateSettings
from service_runtime.callers import caller_name
from service_runtime.errors import ShareUsedUp
from service_runtime.rate_limit import RateLimiter


class RateLimited(ShareUsedUp):
    """The caller, or the customer, asked for more than their share of the time, and nothing was done: ask again after the delay."""

    reason = "RATE_LIMITED"

    def __init__(self, wait_s: float) -> None:
        wait_ms = math.ceil(wait_s * 1_000)
        # In the metadata as well, since an entry of a batch has no other place for it.
        super().__init__({"retry_after_ms": str(wait_ms)}, retry_after_s=wait_ms / 1_000)


class FairCreates:
    """Limits what each caller creates in a time, and what is created for each customer. Either limit may be left out."""

    def __init__(self, *, callers: RateLimiter | None, customers: RateLimiter | None) -> None:
        self._callers = callers
        self._customers = customers

    def charge(self, counts: Mapping[UUID, int]) -> dict[UUID, RateLimited]:
        """Takes so many creates, by customer, off the shares of the call's caller and of each customer.

        Raises RateLimited, with nothing taken, if it is the caller's share that is used up. Answers the customers whose share is; of theirs
        nothing is taken.
        """
        caller = caller_name()
        if self._callers is not None and (wait_s := self._callers.wait_s(caller)):
            raise RateLimited(wait_s)
        refused: dict[UUID, RateLimited] = {}
        if self._customers is not None:
            for customer_id, count in counts.items():
                if wait_s := self._customers.wait_s(customer_id):
                    refused[customer_id] = RateLimited(wait_s)
                else:
                    self._customers.take(customer_id, count)
        taken = sum(count for customer_id, count in counts.items() if customer_id not in refused)
        if self._callers is not None and taken:
            self._callers.take(caller, taken)
        return refused

    def charge_one(self, customer_id: UUID) -> None:
        """Takes one create off the shares of the call's caller and of a customer; raises RateLimited if either is used up."""
        for refusal in self.charge({customer_id: 1}).values():
            raise refusal


def open_fair_creates(settings: CreateSettings) -> FairCreates | None:
    """Makes what limits the creates of callers and customers; None where neither is limited."""
    if settings.caller_creates is None and settings.customer_creates is None:
        return None
    keys_max = settings.creates_remembered_max
    callers, customers = [
        None if limit is None else RateLimiter(limit, keys_max=keys_max)
        for limit in (settings.caller_creates, settings.customer_creates)
    ]
    return FairCreates(callers=callers, customers=customers)

"""How customers are added: as fast as whoever adds them may."""

from customer_service.model import Customer, CustomerDraft
from customer_service.repository import CustomerRepository
from service_runtime.fair_creates import FairCreates


class CustomerRegistration:
    """Adds customers, none beyond the share of the caller, or of the customer, if shares are counted."""

    def __init__(self, *, customers: CustomerRepository, shares: FairCreates | None) -> None:
        self._customers = customers
        self._shares = shares

    async def create(self, draft: CustomerDraft) -> Customer:
        """Adds a customer, or answers the one that was created with equal content; raises RateLimited, CustomerExists or DocumentTaken."""
        if self._shares is not None:
            self._shares.charge_one(draft.id)
        return await self._customers.create(draft)

from collections.abc import AsyncIterator

import pytest

from recordshop.client import RecordShop, RetryPolicy
from tests.unit.recordshop.fake_shop import FakeShop

QUICK = RetryPolicy(attempts_max=5, backoff_first_s=0.005, backoff_max_s=0.02)
HASTY = RetryPolicy(attempt_timeout_s=0.2, backoff_first_s=0.005, backoff_max_s=0.02)


@pytest.fixture
async def fake() -> AsyncIterator[FakeShop]:
    """The services; a test gives them their script."""
    fake = await FakeShop().start()
    yield fake
    await fake.die()


@pytest.fixture
async def shop(fake: FakeShop) -> AsyncIterator[RecordShop]:
    """A client of the fake services that does not wait long between its attempts."""
    async with RecordShop(catalog=fake.address, customer=fake.address, order=fake.address, retry=QUICK) as shop:
        yield shop


@pytest.fixture
async def hasty_shop(fake: FakeShop) -> AsyncIterator[RecordShop]:
    """A client that does not wait long for an answer either."""
    async with RecordShop(order=fake.address, retry=HASTY) as shop:
        yield shop

"""Who reaches the page of the metrics, which is in the clear."""

import asyncio
import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from local_shop.ports import HOST
from tests.conftest import FreshShops

# Of this machine too, but not where a server listens that was given HOST.
ANOTHER_ADDRESS = "127.0.0.2"
CONNECT_TIMEOUT_S = 5.0
INSECURE = {"BIND_ADDRESS": "0.0.0.0", "ALLOW_INSECURE": "true"}


def answers(address: str, port: int) -> bool:
    try:
        with closing(socket.create_connection((address, port), CONNECT_TIMEOUT_S)):
            return True
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize(
    ("named", "reached"), [({}, [HOST]), ({"METRICS_ADDRESS": "0.0.0.0"}, [HOST, ANOTHER_ADDRESS])]
)
async def test_a_service_for_all_machines_tells_its_metrics_to_this_one_unless_another_address_is_named(
    fresh_shop: FreshShops, named: dict[str, str], reached: list[str]
) -> None:
    shop = await fresh_shop(metrics=True, settings={"catalog": {**INSECURE, **named}})
    port = urlsplit(shop.local.catalog_metrics_url).port
    assert port is not None
    assert answers(ANOTHER_ADDRESS, shop.local.catalog.port)
    assert [
        address for address in (HOST, ANOTHER_ADDRESS) if await asyncio.to_thread(answers, address, port)
    ] == reached

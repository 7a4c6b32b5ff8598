"""The demo's figures, and the file that tells where a shop is."""

import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from customer_service.cpf import read_cpf
from local_shop.demo import DemoPlan
from local_shop.errors import LocalShopError
from local_shop.people import random_cpf
from local_shop.shop_env import ShopEnv
from local_shop.tally import percentile_ms

ENV = ShopEnv(
    catalog_addr="127.0.0.1:1",
    customer_addr="127.0.0.1:2",
    order_addr="127.0.0.1:3",
    catalog_dsn="postgresql://catalog_service:a%3Db@127.0.0.1:4/catalog?x=1",
    customer_dsn="postgresql://customer_service:c@127.0.0.1:4/customer",
    order_dsn="postgresql://order_service:d@127.0.0.1:4/orders",
    admin_dsn="postgresql://postgres:e@127.0.0.1:4/postgres",
)


@pytest.mark.parametrize(("seconds", "rate", "opening"), [(60, 50, 2_000), (10, 50, 333), (1, 1, 0)])
def test_there_are_copies_for_two_thirds_of_the_orders(seconds: int, rate: int, opening: int) -> None:
    assert DemoPlan(seconds=seconds, rate=rate, clients=1).opening == opening


def test_percentiles_are_the_nearest_latency_in_milliseconds() -> None:
    latencies_s = [number / 1_000 for number in range(1, 101)]
    assert percentile_ms(latencies_s, 0.5) == 51
    assert percentile_ms(latencies_s, 0.99) == 100
    assert percentile_ms([0.25], 0.99) == 250
    assert percentile_ms([], 0.5) == 0


def test_made_up_documents_are_valid_and_differ() -> None:
    documents = {random_cpf() for _ in range(200)}
    assert {read_cpf(document) for document in documents} == documents
    assert len(documents) == 200


def test_shop_env_is_read_as_it_was_written_and_only_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "shop.env"
    ENV.write(path)
    assert ShopEnv.read(path) == ENV
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = [line.partition("=")[0] for line in path.read_text().splitlines()]
    assert keys == [name.upper() for name in asdict(ENV)]


def test_a_shop_env_that_lacks_something_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "shop.env"
    path.write_text("CATALOG_ADDR=127.0.0.1:1\n")
    with pytest.raises(LocalShopError, match="CUSTOMER_ADDR"):
        ShopEnv.read(path)

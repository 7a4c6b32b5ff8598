"""GetDisc and BatchGetDiscs: what is there, and what is missing."""

import grpc
import pytest

from tests.integration.catalog_service.shelf import Shelf, new_id
from tests.integration.refusals import Refusal, bad_fields_of, refusal_of
from tests.integration.stock_room import StockRoom

NOT_UUIDS = ["", "7", "bcd8a0e9dc0a4ae7a783458542e2cc39", "{bcd8a0e9-dc0a-4ae7-a783-458542e2cc39}", "\0", "\u0661" * 36]


async def test_a_disc_is_found_by_an_id_in_upper_case_too(discs: Shelf) -> None:
    disc = await discs.create()
    assert await discs.get(disc.id.upper()) == disc


async def test_a_disc_is_answered_with_its_stock_at_this_moment(discs: Shelf, stock: StockRoom) -> None:
    disc = await discs.create(stock=5)
    await stock.reserve(new_id(), {disc.id: 2})
    assert (await discs.get(disc.id)).stock == 3
    assert [disc.stock for disc in await discs.get_all(disc.id)] == [3]


async def test_a_deleted_disc_stays_readable(discs: Shelf) -> None:
    disc = await discs.create()
    deleted = await discs.delete(disc.id)
    assert await discs.get(disc.id) == deleted
    assert await discs.get_all(disc.id) == [deleted]


async def test_a_disc_that_does_not_exist_is_not_found(discs: Shelf) -> None:
    missing = new_id()
    refusal = await refusal_of(discs.get(missing))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND")
    assert refusal.metadata["disc_id"] == missing


@pytest.mark.parametrize("not_uuid", NOT_UUIDS)
async def test_an_id_that_is_no_uuid_is_refused(discs: Shelf, not_uuid: str) -> None:
    assert await bad_fields_of(discs.get(not_uuid)) == {"id"}
    assert await bad_fields_of(discs.get_all(new_id(), not_uuid)) == {"ids[1]"}


async def test_a_batch_is_answered_in_the_order_of_its_ids_each_as_often_as_it_is_named(discs: Shelf) -> None:
    one, two, three = [await discs.create(name=name) for name in ("One", "Two", "Three")]
    wished = [three, one, three, two, one]
    assert await discs.get_all(*(disc.id for disc in wished)) == wished
    assert await discs.get_all(one.id.upper(), one.id) == [one, one]


async def test_a_batch_has_one_to_a_thousand_ids(discs: Shelf) -> None:
    disc = await discs.create()
    assert await discs.get_all(*[disc.id] * 1_000) == [disc] * 1_000
    assert await bad_fields_of(discs.get_all(*[disc.id] * 1_001)) == {"ids"}
    assert await bad_fields_of(discs.get_all()) == {"ids"}


async def test_a_batch_names_each_missing_disc_once(discs: Shelf) -> None:
    disc, first, second = await discs.create(), new_id(), new_id()
    assert await refusal_of(discs.get_all(first, disc.id, second, first)) == Refusal(
        grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND", {"disc_id": f"{first},{second}", "missing": "2"}
    )


async def test_a_thousand_missing_discs_are_still_not_found(discs: Shelf) -> None:
    missing = [new_id() for _ in range(1_000)]
    refusal = await refusal_of(discs.get_all(*missing))
    assert (refusal.code, refusal.metadata["missing"]) == (grpc.StatusCode.NOT_FOUND, "1000")
    assert refusal.metadata["disc_id"].startswith(f"{missing[0]},{missing[1]},")


async def test_a_thousand_bad_ids_are_still_an_invalid_argument(discs: Shelf) -> None:
    assert {"ids[0]", "ids[1]", "ids[2]"} <= await bad_fields_of(discs.get_all(*["x"] * 1_000))

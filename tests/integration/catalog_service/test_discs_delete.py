"""DeleteDisc: off sale, and still there for the orders that hold it."""

import asyncio

import grpc
import pytest

from recordshop.catalog.v1.catalog_pb2 import Disc
from tests.integration.catalog_service.shelf import Shelf, exact, new_id, new_word
from tests.integration.refusals import Refusal, bad_fields_of, refusal_of
from tests.integration.stock_room import StockRoom


async def test_a_deleted_disc_says_when_it_was_deleted(discs: Shelf) -> None:
    disc = await discs.create(stock=5)
    deleted = await discs.delete(disc.id)
    assert deleted.delete_time.ToNanoseconds() > disc.create_time.ToNanoseconds()
    assert (deleted.name, deleted.stock) == (disc.name, 5)
    assert deleted.etag != disc.etag


async def test_deleting_twice_answers_the_same(discs: Shelf) -> None:
    disc = await discs.create()
    deleted = await discs.delete(disc.id, etag=disc.etag)
    assert await discs.delete(disc.id, etag=disc.etag) == deleted
    assert await discs.delete(disc.id, etag="x") == deleted
    assert await discs.delete(disc.id) == deleted


async def test_deletes_at_the_same_moment_are_one(discs: Shelf) -> None:
    disc = await discs.create()
    answers = await asyncio.gather(*(discs.delete(disc.id, etag=disc.etag) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)


async def test_a_disc_that_was_edited_since_is_not_deleted(discs: Shelf) -> None:
    disc = await discs.create()
    edited = await discs.update(disc.id, price_cents=1)
    assert await refusal_of(discs.delete(disc.id, etag=disc.etag)) == Refusal(
        grpc.StatusCode.ABORTED, "ETAG_MISMATCH", {"disc_id": disc.id}
    )
    assert await discs.get(disc.id) == edited
    assert (await discs.delete(disc.id, etag=edited.etag)).HasField("delete_time")


async def test_of_an_edit_and_a_delete_with_one_etag_exactly_one_is_made(discs: Shelf) -> None:
    for _ in range(10):
        disc = await discs.create()
        calls = (discs.update(disc.id, etag=disc.etag, price_cents=1), discs.delete(disc.id, etag=disc.etag))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        (made,) = [answer for answer in answers if isinstance(answer, Disc)]
        assert await discs.get(disc.id) == made
        assert made.HasField("delete_time") != (made.price_cents == 1)


async def test_a_disc_that_does_not_exist_cannot_be_deleted(discs: Shelf) -> None:
    refusal = await refusal_of(discs.delete(new_id()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND")


@pytest.mark.parametrize("etag", ["e" * 65, "\0"])
async def test_all_bad_fields_of_a_delete_are_named_at_once(discs: Shelf, etag: str) -> None:
    assert await bad_fields_of(discs.delete("7", etag=etag)) == {"id", "etag"}


async def test_a_deleted_disc_is_left_out_of_lists_unless_asked_for(discs: Shelf) -> None:
    genre = new_word()
    kept, gone = [await discs.create(genre=genre) for _ in range(2)]
    await discs.delete(gone.id)
    assert await discs.ids(genre=exact(genre)) == [kept.id]
    assert await discs.ids(genre=exact(genre), show_deleted=True) == sorted([kept.id, gone.id])


async def test_a_deleted_disc_cannot_be_reserved_and_takes_its_copies_back(discs: Shelf, stock: StockRoom) -> None:
    disc, order_id = await discs.create(stock=5), new_id()
    await stock.reserve(order_id, {disc.id: 2})
    await discs.delete(disc.id)
    assert (await refusal_of(stock.reserve(new_id(), {disc.id: 1}))).reason == "DISC_DELETED"
    await stock.release(order_id, disc.id)
    assert (await discs.get(disc.id)).stock == 5

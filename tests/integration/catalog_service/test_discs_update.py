"""UpdateDisc: the named fields and no others, and never over another's edit."""

import asyncio
from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.catalog.v1.catalog_pb2 import Disc
from tests.integration.catalog_service.shelf import Shelf, new_id
from tests.integration.refusals import Refusal, bad_fields_of, read_refusal, refusal_of
from tests.integration.stock_room import StockRoom

CONTENT: dict[str, Any] = {
    "name": "Giant Steps",
    "artist": "Coltrane",
    "year_of_release": 1960,
    "genre": "Bebop",
    "price_cents": 1,
}


def content_of(disc: Disc) -> dict[str, Any]:
    return {field: getattr(disc, field) for field in CONTENT}


def mismatch(disc_id: str) -> Refusal:
    return Refusal(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", {"disc_id": disc_id})


@pytest.mark.parametrize("field", CONTENT)
async def test_an_edit_changes_the_named_field_and_no_other(discs: Shelf, field: str) -> None:
    disc = await discs.create(stock=5)
    edited = await discs.update(disc.id, field, **CONTENT)
    assert content_of(edited) == {**content_of(disc), field: CONTENT[field]}
    assert edited.etag != disc.etag
    assert edited.update_time.ToNanoseconds() > disc.update_time.ToNanoseconds()
    assert (edited.id, edited.stock, edited.create_time) == (disc.id, 5, disc.create_time)
    assert await discs.get(disc.id) == edited


async def test_a_star_changes_all_fields_also_to_their_default(discs: Shelf) -> None:
    disc = await discs.create()
    everything = {**CONTENT, "price_cents": 0}
    assert content_of(await discs.update(disc.id, "*", **everything)) == everything
    assert await bad_fields_of(discs.update(disc.id, "*", name="Blue", price_cents=5)) == {
        "disc.artist",
        "disc.year_of_release",
        "disc.genre",
    }


async def test_without_a_mask_the_fields_that_are_not_at_their_default_change(discs: Shelf) -> None:
    disc = await discs.create()
    edited = await discs.update(disc.id, name="Giant Steps", price_cents=0)
    assert content_of(edited) == {**content_of(disc), "name": "Giant Steps"}


async def test_an_edit_of_nothing_answers_the_disc_unchanged(discs: Shelf) -> None:
    disc = await discs.create()
    assert await discs.update(disc.id, etag="old") == disc


async def test_a_disc_that_is_given_away_for_nothing_needs_the_mask_to_say_so(discs: Shelf) -> None:
    disc = await discs.create(price_cents=100)
    assert (await discs.update(disc.id, "price_cents")).price_cents == 0


async def test_all_that_is_wrong_with_an_edit_is_named_at_once(discs: Shelf) -> None:
    paths = ["name", "artist", "year_of_release", "genre", "price_cents"]
    bad = {"name": "", "artist": "a\0b", "year_of_release": 2101, "genre": "\n", "price_cents": 100_000_001}
    assert await bad_fields_of(discs.update("7", *paths, "stock", etag="e" * 65, **bad)) == {
        "update_mask",
        "disc.id",
        "disc.etag",
        *(f"disc.{path}" for path in paths),
    }


async def test_fields_that_the_mask_does_not_name_are_not_judged(discs: Shelf) -> None:
    disc = await discs.create()
    assert (await discs.update(disc.id, "genre", genre="Bebop", name="\0", price_cents=-1)).genre == "Bebop"


@pytest.mark.parametrize(
    "path", ["id", "stock", "etag", "create_time", "delete_time", "disc.name", "name.x", "", "NAME"]
)
async def test_a_path_that_is_no_field_to_edit_is_refused(discs: Shelf, path: str) -> None:
    disc = await discs.create()
    assert await bad_fields_of(discs.update(disc.id, "price_cents", path, price_cents=1)) == {"update_mask"}
    assert await discs.get(disc.id) == disc


async def test_an_edit_without_a_disc_hears_just_that(discs: Shelf) -> None:
    assert await bad_fields_of(discs.stub.UpdateDisc(catalog_pb2.UpdateDiscRequest())) == {"disc"}


async def test_a_disc_that_does_not_exist_cannot_be_edited(discs: Shelf) -> None:
    missing = new_id()
    refusal = await refusal_of(discs.update(missing, price_cents=1))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND")
    assert refusal.metadata["disc_id"] == missing


async def test_an_edit_with_the_current_etag_is_made(discs: Shelf) -> None:
    disc = await discs.create()
    edited = await discs.update(disc.id, etag=disc.etag, price_cents=1)
    assert (await discs.update(disc.id, etag=edited.etag, price_cents=2)).price_cents == 2


@pytest.mark.parametrize("never_made", ["x", "0", "01", "9" * 64, "٣"])
async def test_an_edit_with_an_etag_that_is_not_the_current_one_is_refused(discs: Shelf, never_made: str) -> None:
    disc = await discs.create()
    edited = await discs.update(disc.id, name="Giant Steps")
    for etag in (disc.etag, never_made):
        assert await refusal_of(discs.update(disc.id, etag=etag, price_cents=1)) == mismatch(disc.id)
    assert await discs.get(disc.id) == edited


async def test_a_repeated_edit_changes_nothing_and_is_answered_even_with_its_old_etag(discs: Shelf) -> None:
    disc = await discs.create()
    edited = await discs.update(disc.id, etag=disc.etag, price_cents=1, name="Giant Steps")
    assert await discs.update(disc.id, etag=disc.etag, price_cents=1, name="Giant Steps") == edited
    assert await discs.update(disc.id, etag=disc.etag, price_cents=1) == edited
    assert await discs.update(disc.id, price_cents=1) == edited


async def test_the_etag_does_not_move_with_the_stock(discs: Shelf, stock: StockRoom) -> None:
    disc = await discs.create(stock=5)
    await stock.reserve(new_id(), {disc.id: 2})
    await stock.adjust(disc.id, 4)
    sold = await discs.get(disc.id)
    assert (sold.stock, sold.etag, sold.update_time) == (7, disc.etag, disc.update_time)
    assert (await discs.update(disc.id, etag=disc.etag, price_cents=1)).stock == 7


async def test_a_deleted_disc_refuses_edits(discs: Shelf) -> None:
    disc = await discs.create()
    deleted = await discs.delete(disc.id)
    refused = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "DISC_DELETED", {"disc_id": disc.id})
    for etag in ("", disc.etag, deleted.etag):
        assert await refusal_of(discs.update(disc.id, etag=etag, price_cents=1)) == refused
    assert await discs.get(disc.id) == deleted


async def test_a_repeated_edit_is_answered_also_when_the_disc_was_deleted_since(discs: Shelf) -> None:
    disc = await discs.create()
    await discs.update(disc.id, etag=disc.etag, price_cents=1)
    deleted = await discs.delete(disc.id)
    assert await discs.update(disc.id, etag=disc.etag, price_cents=1) == deleted


async def test_of_two_edits_with_one_etag_at_the_same_moment_exactly_one_is_aborted(discs: Shelf) -> None:
    disc = await discs.create()
    for price_cents in range(10, 30):
        edits = [discs.update(disc.id, etag=disc.etag, name=name, price_cents=price_cents) for name in ("One", "Two")]
        answers = await asyncio.gather(*edits, return_exceptions=True)
        (aborted,) = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        (disc,) = [answer for answer in answers if isinstance(answer, Disc)]
        assert read_refusal(aborted) == mismatch(disc.id)
        assert await discs.get(disc.id) == disc


async def test_edits_of_different_fields_at_the_same_moment_are_all_kept(discs: Shelf, stock: StockRoom) -> None:
    disc = await discs.create(stock=20)
    edits = [discs.update(disc.id, field, **CONTENT) for field in CONTENT]
    await asyncio.gather(*edits, *(stock.reserve(new_id(), {disc.id: 1}) for _ in range(20)))
    edited = await discs.get(disc.id)
    assert content_of(edited) == CONTENT
    assert edited.stock == 0

"""CreateDisc: a disc is added once, however often it is asked for."""

import asyncio
from uuid import UUID

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.catalog.v1.catalog_pb2 import Disc
from tests.integration.catalog_service.shelf import CALL_TIMEOUT_S, Shelf, a_disc, new_id
from tests.integration.refusals import Refusal, bad_fields_of, refusal_of
from tests.integration.stock_room import StockRoom


async def test_a_new_disc_is_answered_as_kept(discs: Shelf) -> None:
    disc = await discs.create(name="África Brasil", artist="Jorge Ben", year_of_release=1976, genre="Samba", stock=7)
    assert UUID(disc.id).version == 4
    assert (disc.name, disc.artist, disc.year_of_release, disc.genre) == ("África Brasil", "Jorge Ben", 1976, "Samba")
    assert (disc.price_cents, disc.stock) == (2_599, 7)
    assert disc.etag
    assert disc.create_time.seconds > 0
    assert disc.update_time == disc.create_time
    assert not disc.HasField("delete_time")
    assert await discs.get(disc.id) == disc


async def test_output_only_fields_of_a_new_disc_are_ignored(discs: Shelf) -> None:
    described = a_disc(id="\0", stock=-5, etag="\0" * 65)
    described.create_time.seconds = described.delete_time.seconds = -1
    request = catalog_pb2.CreateDiscRequest(disc=described)
    disc = await discs.stub.CreateDisc(request, timeout=CALL_TIMEOUT_S)
    assert disc.stock == 0
    assert disc.create_time.seconds > 0
    assert not disc.HasField("delete_time")


async def test_a_disc_may_have_the_id_that_the_caller_chose(discs: Shelf) -> None:
    chosen = new_id()
    assert (await discs.create(chosen.upper())).id == chosen


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "n" * 200),
        ("name", "名" * 200),
        ("artist", "🎷" * 200),
        ("genre", "g" * 100),
        ("year_of_release", 1860),
        ("year_of_release", 2100),
        ("price_cents", 0),
        ("price_cents", 100_000_000),
    ],
)
async def test_a_value_at_its_bound_is_kept(discs: Shelf, field: str, value: object) -> None:
    disc = await discs.create(**{field: value})
    assert getattr(await discs.get(disc.id), field) == value


@pytest.mark.parametrize("opening_stock", [0, 1_000_000_000])
async def test_an_opening_stock_at_its_bound_is_kept(discs: Shelf, opening_stock: int) -> None:
    assert (await discs.create(stock=opening_stock)).stock == opening_stock


async def test_all_bad_fields_of_a_new_disc_are_named_at_once(discs: Shelf) -> None:
    bad = {"name": "\0", "artist": " \t\u3000", "year_of_release": 1859, "genre": "g" * 101, "price_cents": -1}
    assert await bad_fields_of(discs.create("7", stock=1_000_000_001, **bad)) == {
        "disc_id",
        "opening_stock",
        *(f"disc.{field}" for field in bad),
    }
    assert await bad_fields_of(discs.stub.CreateDisc(catalog_pb2.CreateDiscRequest(disc=Disc()))) == {
        "disc.name",
        "disc.artist",
        "disc.year_of_release",
        "disc.genre",
    }


async def test_a_create_without_a_disc_hears_just_that(discs: Shelf) -> None:
    assert await bad_fields_of(discs.stub.CreateDisc(catalog_pb2.CreateDiscRequest(opening_stock=-1))) == {
        "disc",
        "opening_stock",
    }


async def test_a_repeated_create_adds_nothing(discs: Shelf, stock: StockRoom) -> None:
    chosen = new_id()
    first = await discs.create(chosen, stock=5)
    await stock.adjust(chosen, -2)
    again = await discs.create(chosen, stock=5)
    assert again == Disc(**{**_fields(first), "stock": 3})
    balance = await stock.balance(chosen)
    assert (balance.opening, balance.left) == (5, 3)


async def test_a_repeated_create_answers_the_disc_as_edited_since(discs: Shelf) -> None:
    chosen = new_id()
    await discs.create(chosen)
    await discs.update(chosen, price_cents=1)
    deleted = await discs.delete(chosen)
    assert await discs.create(chosen) == deleted
    assert deleted.price_cents == 1


async def test_an_id_belongs_to_the_content_that_it_was_created_with(discs: Shelf) -> None:
    chosen = new_id()
    await discs.create(chosen, stock=5)
    edited = await discs.update(chosen, name="Giant Steps")
    taken = Refusal(grpc.StatusCode.ALREADY_EXISTS, "DISC_EXISTS", {"disc_id": chosen})
    # Also when the other content is what the disc holds by now.
    assert await refusal_of(discs.create(chosen, stock=5, name="Giant Steps")) == taken
    assert await refusal_of(discs.create(chosen, stock=6)) == taken
    assert await discs.get(chosen) == edited


async def test_equal_creates_at_the_same_moment_add_one_disc_and_all_are_answered(discs: Shelf) -> None:
    for _ in range(10):
        chosen = new_id()
        answers = await asyncio.gather(*(discs.create(chosen, stock=5) for _ in range(8)))
        assert all(answer == answers[0] for answer in answers)


async def test_of_two_contents_for_one_id_at_the_same_moment_one_wins(discs: Shelf) -> None:
    for _ in range(10):
        chosen = new_id()
        creates = [discs.create(chosen, name=name) for name in ("Alpha", "Beta", "Gamma", "Delta")]
        answers = await asyncio.gather(*creates, return_exceptions=True)
        (won,) = [answer for answer in answers if isinstance(answer, Disc)]
        assert await discs.get(chosen) == won


def _fields(disc: Disc) -> dict[str, object]:
    return {field.name: value for field, value in disc.ListFields()}

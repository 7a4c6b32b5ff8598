"""ListDiscs: what each filter lets through."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from recordshop.catalog.v1.catalog_pb2 import TextFilter
from tests.integration.catalog_service.shelf import Shelf, exact, new_word, partial
from tests.integration.refusals import bad_fields_of

TEXTS = ["name", "artist", "genre"]


@pytest.mark.parametrize("field", TEXTS)
async def test_an_exact_filter_wants_the_whole_text_in_any_case(discs: Shelf, field: str) -> None:
    word = new_word()
    disc = await discs.create(**{field: f"Águas {word}"})
    await discs.create(**{field: f"Águas {word} II"})
    for spelling in (f"Águas {word}", f"ÁGUAS {word.upper()}", f"águas {word}"):
        assert await discs.ids(**{field: exact(spelling)}) == [disc.id]
    for other in (word, f"Aguas {word}", f"Águas {word} "):
        assert await discs.ids(**{field: exact(other)}) == []


@pytest.mark.parametrize("field", TEXTS)
async def test_a_partial_filter_of_three_characters_or_more_finds_them_anywhere(discs: Shelf, field: str) -> None:
    word = new_word()
    disc = await discs.create(**{field: f"The Águas {word} Suite"})
    for part in (f"ÁGUAS {word}", word.upper(), word[1:-1], f"{word} suite", f"The Águas {word}"):
        assert await discs.ids(**{field: partial(part)}) == [disc.id]
    assert await discs.ids(**{field: partial(f"{word}suite")}) == []


@pytest.mark.parametrize("field", TEXTS)
async def test_a_partial_filter_of_one_or_two_characters_looks_at_the_beginning(discs: Shelf, field: str) -> None:
    apart = next(other for other in TEXTS if other != field)
    mine = {apart: new_word()}
    beginning = await discs.create(**mine, **{field: "Ära Zwei"})
    await discs.create(**mine, **{field: "Die Ära"})
    for part in ("Ä", "ä", "ÄR", "är"):
        assert await discs.ids(**{apart: exact(mine[apart]), field: partial(part)}) == [beginning.id]
    assert await discs.ids(**{apart: exact(mine[apart]), field: partial("ra")}) == []
    assert len(await discs.ids(**{apart: exact(mine[apart]), field: partial("ÄRA")})) == 2


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("wildcard", ["%", "_", "\\", "%%", "__", "\\%", "%_%", "\\\\\\", "a%b", "_b_"])
async def test_wildcards_stand_for_themselves(discs: Shelf, field: str, wildcard: str) -> None:
    apart = next(other for other in TEXTS if other != field)
    mine = {apart: new_word()}
    disc = await discs.create(**mine, **{field: f"{wildcard} live"})
    await discs.create(**mine, **{field: "axb live at abbey road"})
    assert await discs.ids(**{apart: exact(mine[apart]), field: partial(wildcard)}) == [disc.id]
    assert await discs.ids(**{apart: exact(mine[apart]), field: exact(f"{wildcard} LIVE")}) == [disc.id]
    assert await discs.ids(**{apart: exact(mine[apart]), field: exact(wildcard)}) == []


async def test_years_are_bounds_of_their_own_and_a_range_together(discs: Shelf) -> None:
    artist = new_word()
    ids = {year: (await discs.create(artist=artist, year_of_release=year)).id for year in (1958, 1959, 1960, 1961)}
    mine: dict[str, Any] = {"artist": exact(artist)}

    async def years(**bounds: int) -> list[int]:
        found = await discs.ids(**mine, **bounds)
        return sorted(year for year, disc_id in ids.items() if disc_id in found)

    assert await years(year_of_release_from=1960) == [1960, 1961]
    assert await years(year_of_release_to=1959) == [1958, 1959]
    assert await years(year_of_release_from=1959, year_of_release_to=1960) == [1959, 1960]
    assert await years(year_of_release_from=1959, year_of_release_to=1959) == [1959]
    assert await years(year_of_release_from=2100) == []


async def test_in_stock_is_true_false_or_left_out(discs: Shelf) -> None:
    artist = new_word()
    full, empty = await discs.create(artist=artist, stock=1), await discs.create(artist=artist)
    assert await discs.ids(artist=exact(artist), in_stock=True) == [full.id]
    assert await discs.ids(artist=exact(artist), in_stock=False) == [empty.id]
    assert await discs.ids(artist=exact(artist)) == sorted([full.id, empty.id])


async def test_a_disc_has_to_match_all_filters(discs: Shelf) -> None:
    artist, genre = new_word(), new_word()
    wanted: dict[str, Any] = {
        "name": partial("tra"),
        "artist": exact(artist),
        "genre": partial(genre),
        "year_of_release_from": 1958,
        "year_of_release_to": 1958,
        "in_stock": True,
    }
    disc = await discs.create(artist=artist, genre=genre, stock=1)
    for other in ({"name": "Lush Life"}, {"artist": "x"}, {"genre": "x"}, {"year_of_release": 1957}, {"stock": 0}):
        await discs.create(**{"artist": artist, "genre": genre, "stock": 1, **other})
    assert await discs.ids(**wanted) == [disc.id]
    assert (await discs.page(**wanted)).discs[0] == disc


async def test_all_bad_filters_are_named_at_once(discs: Shelf) -> None:
    call = discs.page(
        name=TextFilter(),
        artist=exact(""),
        genre=partial("\0"),
        year_of_release_from=1859,
        year_of_release_to=2101,
        page_size=-1,
        page_token="?",
    )
    assert await bad_fields_of(call) == {
        "name",
        "artist.exact",
        "genre.partial",
        "year_of_release_from",
        "year_of_release_to",
        "page_size",
        "page_token",
    }


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", ["", "x" * 201, "a\0b"])
async def test_a_filter_is_one_to_two_hundred_characters_without_nul(discs: Shelf, field: str, text: str) -> None:
    assert await bad_fields_of(discs.page(**{field: exact(text)})) == {f"{field}.exact"}
    assert await bad_fields_of(discs.page(**{field: partial(text)})) == {f"{field}.partial"}
    assert await discs.ids(**{field: exact("x" * 200)}) == []


async def test_the_last_year_is_not_before_the_first(discs: Shelf) -> None:
    assert await bad_fields_of(discs.page(year_of_release_from=1960, year_of_release_to=1959)) == {"year_of_release_to"}


async def test_text_filters_find_what_they_say_among_texts_of_all_kinds(discs: Shelf) -> None:
    genre, texts = new_word(), list(made_up_texts(60))
    names = {(await discs.create(genre=genre, name=text)).id: text.lower() for text in texts}
    pieces = {text[start : start + length].upper() for text in texts for start in (0, 1) for length in (1, 2, 3, 4)}
    for wanted in sorted(pieces - {""}):
        piece = wanted.lower()
        found = await discs.ids(genre=exact(genre), name=partial(wanted), page_size=100)
        assert found == sorted(
            disc_id for disc_id, name in names.items() if (piece in name if len(piece) >= 3 else name.startswith(piece))
        ), wanted
        equal = await discs.ids(genre=exact(genre), name=exact(wanted), page_size=100)
        assert equal == sorted(disc_id for disc_id, name in names.items() if name == piece), wanted


def made_up_texts(count: int) -> Iterator[str]:
    """Short texts of few characters, so that they have much in common."""
    chance = random.Random(33)
    for _ in range(count):
        text = "".join(chance.choices("aAbé%_\\' .", k=chance.randint(1, 6)))
        yield text if text.strip() else "a"

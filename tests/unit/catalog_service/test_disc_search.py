from itertools import product
from typing import Any
from uuid import UUID

import pytest

from catalog_service.disc_search import list_statement
from catalog_service.model import DiscFilter, DiscQuery, TextFilter, TextMatch

FIRST = UUID(int=0)
HOSTILE = "'; DROP TABLE discs; -- {} $1 %s"


def statement(**filters: Any) -> tuple[str, list[object]]:
    everything = dict.fromkeys(("name", "artist", "genre", "year_from", "year_to", "in_stock"))
    wanted = DiscFilter(**{**everything, "show_deleted": True, **filters})
    return list_statement(DiscQuery(filter=wanted, first_id=FIRST, size=50))


def text_filters(text: str) -> list[TextFilter | None]:
    return [None, *(TextFilter(match=match, text=text) for match in TextMatch)]


def combinations(text: str, year: int) -> list[dict[str, Any]]:
    choices = {
        "name": text_filters(text),
        "artist": text_filters(text),
        "genre": text_filters(text),
        "year_from": [None, year],
        "year_to": [None, year, year + 1],
        "in_stock": [None, True, False],
        "show_deleted": [True, False],
    }
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


def test_a_page_is_asked_for_in_the_order_of_ids_with_one_disc_more() -> None:
    text, arguments = statement()
    assert text.endswith("WHERE id >= $1 ORDER BY id LIMIT $2")
    assert arguments == [FIRST, 51]


def test_the_texts_are_a_closed_set_that_no_value_gets_into() -> None:
    harmless = {statement(**filters)[0] for filters in combinations("blue", 1959)}
    hostile = {statement(**filters)[0] for filters in combinations(HOSTILE, 2100)}
    assert hostile == harmless
    assert len(harmless) == 3 * 3 * 3 * 5 * 3 * 2


def test_every_argument_has_its_place_in_the_text() -> None:
    for filters in combinations(HOSTILE, 1959):
        text, arguments = statement(**filters)
        assert [f"${number}" in text for number in range(1, len(arguments) + 2)] == [True] * len(arguments) + [False]
        assert (arguments[0], arguments[-1]) == (FIRST, 51)


@pytest.mark.parametrize(
    ("match", "argument"),
    [
        (TextMatch.EXACT, "50%_\\"),
        (TextMatch.PREFIX, "50\\%\\_\\\\%"),
        (TextMatch.PART, "%50\\%\\_\\\\%"),
    ],
)
def test_wildcards_are_escaped_where_they_would_be_some(match: TextMatch, argument: str) -> None:
    _, arguments = statement(name=TextFilter(match=match, text="50%_\\"))
    assert arguments == [FIRST, argument, 51]


def test_one_year_is_asked_for_as_one_year() -> None:
    assert "year_of_release = $2" in statement(year_from=1959, year_to=1959)[0]
    assert statement(year_from=1959, year_to=1960)[1] == [FIRST, 1959, 1960, 51]

from typing import Any
from uuid import UUID

import pytest

from catalog_service import search_mapping
from catalog_service.model import DiscPage, DiscQuery, PageSizes, TextFilter, TextMatch
from recordshop.catalog.v1 import catalog_pb2
from recordshop.catalog.v1.catalog_pb2 import ListDiscsRequest
from service_runtime.errors import InvalidArgument

PAGE_SIZES = PageSizes(default=50, largest=100)
NEXT_ID = UUID("bcd8a0e9-dc0a-4ae7-a783-458542e2cc39")
TEXTS = ["name", "artist", "genre"]


def exact(text: str) -> catalog_pb2.TextFilter:
    return catalog_pb2.TextFilter(exact=text)


def partial(text: str) -> catalog_pb2.TextFilter:
    return catalog_pb2.TextFilter(partial=text)


def query(**values: Any) -> DiscQuery:
    return search_mapping.query_from_proto(ListDiscsRequest(**values), PAGE_SIZES)


def token_after(**filters: Any) -> str:
    return search_mapping.page_to_proto(query(**filters), DiscPage(discs=[], next_id=NEXT_ID)).next_page_token


def bad_fields(**values: Any) -> list[str]:
    with pytest.raises(InvalidArgument) as refused:
        query(**values)
    return [violation.field for violation in refused.value.violations]


def test_a_query_without_filters_matches_every_disc_on_sale_from_the_first_possible_id_on() -> None:
    read = query()
    wanted = read.filter
    assert (wanted.name, wanted.artist, wanted.genre, wanted.year_from, wanted.year_to) == (None,) * 5
    assert (wanted.in_stock, wanted.show_deleted) == (None, False)
    assert (read.first_id, read.size) == (UUID(int=0), 50)


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (100, 100), (101, 100), (2_147_483_647, 100)])
def test_a_page_has_fifty_discs_unless_asked_and_a_hundred_at_most(asked: int, size: int) -> None:
    assert query(page_size=asked).size == size


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize(
    ("given", "match"),
    [
        (exact("a"), TextMatch.EXACT),
        (exact("abc"), TextMatch.EXACT),
        (partial("a"), TextMatch.PREFIX),
        (partial("名名"), TextMatch.PREFIX),
        (partial("名名名"), TextMatch.PART),
        (partial(" "), TextMatch.PREFIX),
        (partial("x" * 200), TextMatch.PART),
    ],
)
def test_a_part_of_one_or_two_characters_is_looked_for_at_the_beginning(
    field: str, given: catalog_pb2.TextFilter, match: TextMatch
) -> None:
    read = getattr(query(**{field: given}).filter, field)
    assert read == TextFilter(match=match, text=given.exact or given.partial)


def test_a_filter_on_what_is_sold_out_is_not_the_same_as_none() -> None:
    assert query(in_stock=False).filter.in_stock is False
    assert query(in_stock=True).filter.in_stock is True


def test_a_year_may_have_one_bound_or_two() -> None:
    assert query(year_of_release_from=1860).filter.year_from == 1860
    assert query(year_of_release_to=2100).filter.year_to == 2100
    both = query(year_of_release_from=1959, year_of_release_to=1959).filter
    assert (both.year_from, both.year_to) == (1959, 1959)


def test_all_bad_filters_are_named_at_once() -> None:
    assert bad_fields(
        year_of_release_from=1859,
        year_of_release_to=-1,
        name=exact(""),
        artist=catalog_pb2.TextFilter(),
        genre=partial("x" * 201),
        page_size=-1,
        page_token="?",
    ) == [
        "year_of_release_from",
        "year_of_release_to",
        "name.exact",
        "artist",
        "genre.partial",
        "page_size",
        "page_token",
    ]
    assert bad_fields(genre=exact("\0")) == ["genre.exact"]
    assert bad_fields(year_of_release_from=1960, year_of_release_to=1959) == ["year_of_release_to"]


FILTERS: list[dict[str, Any]] = [
    {},
    {"name": exact("blue")},
    {"name": partial("blue")},
    {"artist": exact("blue")},
    {"genre": exact("blue")},
    {"name": exact("blu")},
    {"year_of_release_from": 1959},
    {"year_of_release_to": 1959},
    {"in_stock": True},
    {"in_stock": False},
    {"show_deleted": True},
]


@pytest.mark.parametrize("filters", FILTERS)
def test_a_token_goes_on_with_its_own_filters_and_with_no_others(filters: dict[str, Any]) -> None:
    token = token_after(**filters)
    assert query(**filters, page_token=token).first_id == NEXT_ID
    for others in FILTERS:
        if others != filters:
            assert bad_fields(**others, page_token=token) == ["page_token"]


def test_the_last_page_has_no_token() -> None:
    assert not search_mapping.page_to_proto(query(), DiscPage(discs=[], next_id=None)).next_page_token


def test_a_token_keeps_its_length_whatever_is_looked_for() -> None:
    assert len(token_after(name=exact("名" * 200), artist=partial("x" * 200))) == len(token_after()) <= 1_024

"""The statements that list discs: a closed set of texts, put together from the constants below and never from a value."""

from collections.abc import Iterator

from catalog_service.model import DiscQuery, TextFilter, TextMatch

Condition = tuple[str, tuple[object, ...]]

# The best plan depends on the values: it walks along the ids through what many discs match, and picks out and sorts what few match.
# After five runs of a statement PostgreSQL may settle for one plan for all values, so it is told to look at them each time.
#
# The role keeps it from reading the whole table for a page, which it would whenever it takes the matches to be few and no index knows the
# filter (nearly everything is in stock; the text has no trigram): if it is wrong, a walk along the ids fills the page at once, and if it
# is right, the way over an index costs little more.
PLAN_SETTINGS = "SET LOCAL plan_cache_mode = force_custom_plan"

SELECT_DISCS = """
SELECT id, name, artist, year_of_release, genre, price_cents, stock, version, create_time, update_time, delete_time
FROM discs
"""
FROM_ID = "id >= {}"
NAME_IS, NAME_LIKE = "lower(name) = lower({})", "lower(name) LIKE lower({})"
ARTIST_IS, ARTIST_LIKE = "lower(artist) = lower({})", "lower(artist) LIKE lower({})"
GENRE_IS, GENRE_LIKE = "lower(genre) = lower({})", "lower(genre) LIKE lower({})"
YEAR_FROM, YEAR_TO, YEAR_IS = "year_of_release >= {}", "year_of_release <= {}", "year_of_release = {}"
IN_STOCK, SOLD_OUT = "stock > 0", "stock = 0"
ON_SALE = "delete_time IS NULL"
PAGE = " ORDER BY id LIMIT {}"


def list_statement(query: DiscQuery) -> tuple[str, list[object]]:
    """Answers the text and the arguments of the statement that reads a page, and one row more if there is a next one."""
    conditions = list(_conditions(query))
    arguments = [value for _, values in conditions for value in values] + [query.size + 1]
    text = SELECT_DISCS + "WHERE " + " AND ".join(condition for condition, _ in conditions) + PAGE
    return text.format(*(f"${number}" for number in range(1, len(arguments) + 1))), arguments


def _conditions(query: DiscQuery) -> Iterator[Condition]:
    wanted = query.filter
    yield FROM_ID, (query.first_id,)
    if wanted.name is not None:
        yield _text(wanted.name, NAME_IS, NAME_LIKE)
    if wanted.artist is not None:
        yield _text(wanted.artist, ARTIST_IS, ARTIST_LIKE)
    if wanted.genre is not None:
        yield _text(wanted.genre, GENRE_IS, GENRE_LIKE)
    yield from _years(wanted.year_from, wanted.year_to)
    if wanted.in_stock is not None:
        yield IN_STOCK if wanted.in_stock else SOLD_OUT, ()
    if not wanted.show_deleted:
        yield ON_SALE, ()


def _text(wanted: TextFilter, exact: str, like: str) -> Condition:
    literal = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    match wanted.match:
        case TextMatch.EXACT:
            return exact, (wanted.text,)
        case TextMatch.PREFIX:
            return like, (f"{literal}%",)
        case TextMatch.PART:
            return like, (f"%{literal}%",)


def _years(first: int | None, last: int | None) -> Iterator[Condition]:
    if first is not None and first == last:
        # Found in the order of ids already, unlike a range.
        yield YEAR_IS, (first,)
        return
    if first is not None:
        yield YEAR_FROM, (first,)
    if last is not None:
        yield YEAR_TO, (last,)

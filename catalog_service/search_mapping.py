"""Lists of discs: protos to queries, and back."""

from uuid import UUID

from catalog_service.mapping import YEAR_MAX, YEAR_MIN, disc_to_proto
from catalog_service.model import DiscFilter, DiscPage, DiscQuery, PageSizes, TextFilter, TextMatch
from recordshop.catalog.v1 import catalog_pb2
from service_runtime import page_tokens
from service_runtime.uuids import NO_UUID
from service_runtime.validation import Fields, reading_fields

TEXT_LENGTH_MAX = 200
# A shorter part has no trigram that the index could be asked for: it is looked for at the beginning of the text.
PART_LENGTH_MIN = 3


def query_from_proto(request: catalog_pb2.ListDiscsRequest, page_sizes: PageSizes) -> DiscQuery:
    """Reads which discs to list."""
    with reading_fields() as fields:
        wanted = _filter(fields, request)
        size = fields.page_size("page_size", request.page_size, default=page_sizes.default, largest=page_sizes.largest)
        key = page_tokens.decode(fields, request.page_token, wanted, (UUID,))
    return DiscQuery(filter=wanted, first_id=key[0] if key else NO_UUID, size=size)


def page_to_proto(query: DiscQuery, page: DiscPage) -> catalog_pb2.ListDiscsResponse:
    """Answers a page, with the token of the next one if there is one."""
    return catalog_pb2.ListDiscsResponse(
        discs=[disc_to_proto(disc) for disc in page.discs],
        next_page_token="" if page.next_id is None else page_tokens.encode(query.filter, [page.next_id]),
    )


def _filter(fields: Fields, request: catalog_pb2.ListDiscsRequest) -> DiscFilter:
    year_from = _year(fields, "year_of_release_from", request.year_of_release_from)
    year_to = _year(fields, "year_of_release_to", request.year_of_release_to)
    if year_from is not None and year_to is not None and YEAR_MIN <= year_to < year_from:
        fields.bad("year_of_release_to", "must not be before year_of_release_from")
    return DiscFilter(
        name=_text(fields, "name", request.name) if request.HasField("name") else None,
        artist=_text(fields, "artist", request.artist) if request.HasField("artist") else None,
        genre=_text(fields, "genre", request.genre) if request.HasField("genre") else None,
        year_from=year_from,
        year_to=year_to,
        in_stock=request.in_stock if request.HasField("in_stock") else None,
        show_deleted=request.show_deleted,
    )


def _text(fields: Fields, field: str, wanted: catalog_pb2.TextFilter) -> TextFilter:
    match wanted.WhichOneof("match"):
        case "exact":
            return TextFilter(match=TextMatch.EXACT, text=_text_value(fields, f"{field}.exact", wanted.exact))
        case "partial":
            text = _text_value(fields, f"{field}.partial", wanted.partial)
            return TextFilter(match=TextMatch.PREFIX if len(text) < PART_LENGTH_MIN else TextMatch.PART, text=text)
        case _:
            fields.bad(field, "must have exact or partial")
            return TextFilter(match=TextMatch.EXACT, text="")


def _text_value(fields: Fields, field: str, value: str) -> str:
    if not value:
        fields.bad(field, f"must have 1 to {TEXT_LENGTH_MAX} characters")
    return fields.optional_text(field, value, length_max=TEXT_LENGTH_MAX)


def _year(fields: Fields, field: str, value: int) -> int | None:
    return fields.integer(field, value, at_least=YEAR_MIN, at_most=YEAR_MAX) if value else None

"""Protos to the words of the catalog, and back. What a request may hold is judged here."""

from uuid import UUID, uuid4

from catalog_service.model import Disc, DiscDraft, DiscEdit
from recordshop.catalog.v1 import catalog_pb2
from service_runtime.timestamps import timestamp
from service_runtime.validation import Fields, reading_fields

NAME_LENGTH_MAX = 200
ARTIST_LENGTH_MAX = 200
GENRE_LENGTH_MAX = 100
YEAR_MIN, YEAR_MAX = 1860, 2100
PRICE_CENTS_MAX = 100_000_000
OPENING_STOCK_MAX = 1_000_000_000
EDITABLE = ("name", "artist", "year_of_release", "genre", "price_cents")


def draft_from_proto(request: catalog_pb2.CreateDiscRequest) -> DiscDraft:
    """Reads a disc to be added, under the caller's id or a new one."""
    disc = request.disc
    with reading_fields() as fields:
        disc_id = fields.optional_uuid("disc_id", request.disc_id) or uuid4()
        opening_stock = fields.integer("opening_stock", request.opening_stock, at_least=0, at_most=OPENING_STOCK_MAX)
        _require_disc(fields, given=request.HasField("disc"))
        return DiscDraft(
            id=disc_id,
            name=_name(fields, disc),
            artist=_artist(fields, disc),
            year_of_release=_year_of_release(fields, disc),
            genre=_genre(fields, disc),
            price_cents=_price_cents(fields, disc),
            opening_stock=opening_stock,
        )


def edit_from_proto(request: catalog_pb2.UpdateDiscRequest) -> DiscEdit:
    """Reads an edit: of the fields that the mask names or, without a mask, of those that are not at their default (AIP-134)."""
    disc = request.disc
    populated = [field for field in EDITABLE if getattr(disc, field)]
    with reading_fields() as fields:
        mask = fields.mask("update_mask", request.update_mask, editable=EDITABLE, populated=populated)
        _require_disc(fields, given=request.HasField("disc"))
        return DiscEdit(
            id=fields.uuid("disc.id", disc.id),
            etag=fields.etag("disc.etag", disc.etag),
            name=_name(fields, disc) if "name" in mask else None,
            artist=_artist(fields, disc) if "artist" in mask else None,
            year_of_release=_year_of_release(fields, disc) if "year_of_release" in mask else None,
            genre=_genre(fields, disc) if "genre" in mask else None,
            price_cents=_price_cents(fields, disc) if "price_cents" in mask else None,
        )


def id_from_proto(request: catalog_pb2.GetDiscRequest) -> UUID:
    """Reads which disc to answer."""
    with reading_fields() as fields:
        return fields.uuid("id", request.id)


def ids_from_proto(request: catalog_pb2.BatchGetDiscsRequest, *, count_max: int) -> list[UUID]:
    """Reads which discs to answer."""
    with reading_fields() as fields:
        return fields.uuids("ids", request.ids, count_min=1, count_max=count_max)


def deletion_from_proto(request: catalog_pb2.DeleteDiscRequest) -> tuple[UUID, str]:
    """Reads which disc to take off sale, and the etag that it must have; an empty one does not ask."""
    with reading_fields() as fields:
        disc_id = fields.uuid("id", request.id)
        etag = fields.etag("etag", request.etag)
    return disc_id, etag


def disc_to_proto(disc: Disc) -> catalog_pb2.Disc:
    """Answers a disc."""
    return catalog_pb2.Disc(
        id=str(disc.id),
        name=disc.name,
        artist=disc.artist,
        year_of_release=disc.year_of_release,
        genre=disc.genre,
        price_cents=disc.price_cents,
        stock=disc.stock,
        etag=disc.etag,
        create_time=timestamp(disc.create_time),
        update_time=timestamp(disc.update_time),
        delete_time=None if disc.delete_time is None else timestamp(disc.delete_time),
    )


def _require_disc(fields: Fields, *, given: bool) -> None:
    """Stops at a disc that was left out, instead of finding fault with each of its fields."""
    if not given:
        fields.bad("disc", "is required")
        fields.raise_if_bad()


def _name(fields: Fields, disc: catalog_pb2.Disc) -> str:
    return fields.text("disc.name", disc.name, length_max=NAME_LENGTH_MAX)


def _artist(fields: Fields, disc: catalog_pb2.Disc) -> str:
    return fields.text("disc.artist", disc.artist, length_max=ARTIST_LENGTH_MAX)


def _year_of_release(fields: Fields, disc: catalog_pb2.Disc) -> int:
    return fields.integer("disc.year_of_release", disc.year_of_release, at_least=YEAR_MIN, at_most=YEAR_MAX)


def _genre(fields: Fields, disc: catalog_pb2.Disc) -> str:
    return fields.text("disc.genre", disc.genre, length_max=GENRE_LENGTH_MAX)


def _price_cents(fields: Fields, disc: catalog_pb2.Disc) -> int:
    return fields.integer("disc.price_cents", disc.price_cents, at_least=0, at_most=PRICE_CENTS_MAX)

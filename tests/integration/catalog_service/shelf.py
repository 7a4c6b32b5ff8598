"""CatalogService in a test's words: short calls, each with a deadline."""

from typing import Any
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from recordshop.catalog.v1.catalog_pb2 import Disc, TextFilter

CALL_TIMEOUT_S = 20.0
PAGES_MAX = 1_000


def new_id() -> str:
    """Return an id that nobody used before."""
    return str(uuid4())


def new_word() -> str:
    """Return a word that stands in no other test's discs, to find one's own by."""
    return f"w{uuid4().hex}"


def a_disc(**fields: Any) -> Disc:
    """Return a disc as a caller of CreateDisc describes it."""
    described = {"name": "Blue Train", "artist": "John Coltrane", "year_of_release": 1958, "genre": "Jazz"}
    return Disc(**{**described, "price_cents": 2_599, **fields})


def exact(text: str) -> TextFilter:
    """Return a filter on the whole text."""
    return TextFilter(exact=text)


def partial(text: str) -> TextFilter:
    """Return a filter on a part of the text."""
    return TextFilter(partial=text)


class Shelf:
    """Adds, reads, lists, edits and deletes discs."""

    def __init__(self, stub: "catalog_pb2_grpc.CatalogServiceAsyncStub") -> None:
        self.stub = stub

    async def create(self, disc_id: str = "", *, stock: int = 0, **fields: Any) -> Disc:
        """Add a disc."""
        request = catalog_pb2.CreateDiscRequest(disc=a_disc(**fields), disc_id=disc_id, opening_stock=stock)
        return await self.stub.CreateDisc(request, timeout=CALL_TIMEOUT_S)

    async def get(self, disc_id: str) -> Disc:
        """Read a disc."""
        return await self.stub.GetDisc(catalog_pb2.GetDiscRequest(id=disc_id), timeout=CALL_TIMEOUT_S)

    async def get_all(self, *disc_ids: str) -> list[Disc]:
        """Read several discs."""
        request = catalog_pb2.BatchGetDiscsRequest(ids=disc_ids)
        return list((await self.stub.BatchGetDiscs(request, timeout=CALL_TIMEOUT_S)).discs)

    async def update(self, disc_id: str, *paths: str, etag: str = "", **values: Any) -> Disc:
        """Edit the fields that paths name or, without paths, those that have values."""
        disc, mask = Disc(id=disc_id, etag=etag, **values), FieldMask(paths=paths)
        request = catalog_pb2.UpdateDiscRequest(disc=disc, update_mask=mask if paths else None)
        return await self.stub.UpdateDisc(request, timeout=CALL_TIMEOUT_S)

    async def delete(self, disc_id: str, *, etag: str = "") -> Disc:
        """Take a disc off sale."""
        return await self.stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc_id, etag=etag), timeout=CALL_TIMEOUT_S)

    async def page(self, **request: Any) -> catalog_pb2.ListDiscsResponse:
        """Read a page of a list."""
        return await self.stub.ListDiscs(catalog_pb2.ListDiscsRequest(**request), timeout=CALL_TIMEOUT_S)

    async def walk(self, **request: Any) -> list[catalog_pb2.ListDiscsResponse]:
        """Read all pages of a list."""
        pages = [await self.page(**request)]
        while pages[-1].next_page_token:
            assert len(pages) < PAGES_MAX, "the walk does not end"
            pages.append(await self.page(**request, page_token=pages[-1].next_page_token))
        return pages

    async def ids(self, **request: Any) -> list[str]:
        """Return the ids of all discs that a list has."""
        return [disc.id for page in await self.walk(**request) for disc in page.discs]

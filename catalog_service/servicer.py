"""CatalogService at the wire."""

from typing import Any

import grpc

from catalog_service import mapping, search_mapping
from catalog_service.model import PageSizes
from catalog_service.repository import DiscRepository
from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """Decodes, does, encodes; what is promised stands in the proto."""

    def __init__(self, *, discs: DiscRepository, page_sizes: PageSizes, batch_size_max: int) -> None:
        self._discs = discs
        self._page_sizes = page_sizes
        self._batch_size_max = batch_size_max

    async def CreateDisc(self, request: catalog_pb2.CreateDiscRequest, context: Context) -> catalog_pb2.Disc:
        draft = mapping.draft_from_proto(request)
        disc = await self._discs.create(draft)
        return mapping.disc_to_proto(disc)

    async def GetDisc(self, request: catalog_pb2.GetDiscRequest, context: Context) -> catalog_pb2.Disc:
        disc_id = mapping.id_from_proto(request)
        disc = await self._discs.get(disc_id)
        return mapping.disc_to_proto(disc)

    async def BatchGetDiscs(
        self, request: catalog_pb2.BatchGetDiscsRequest, context: Context
    ) -> catalog_pb2.BatchGetDiscsResponse:
        disc_ids = mapping.ids_from_proto(request, count_max=self._batch_size_max)
        discs = await self._discs.get_all(disc_ids)
        return catalog_pb2.BatchGetDiscsResponse(discs=map(mapping.disc_to_proto, discs))

    async def ListDiscs(self, request: catalog_pb2.ListDiscsRequest, context: Context) -> catalog_pb2.ListDiscsResponse:
        query = search_mapping.query_from_proto(request, self._page_sizes)
        page = await self._discs.search(query)
        return search_mapping.page_to_proto(query, page)

    async def UpdateDisc(self, request: catalog_pb2.UpdateDiscRequest, context: Context) -> catalog_pb2.Disc:
        edit = mapping.edit_from_proto(request)
        disc = await self._discs.edit(edit)
        return mapping.disc_to_proto(disc)

    async def DeleteDisc(self, request: catalog_pb2.DeleteDiscRequest, context: Context) -> catalog_pb2.Disc:
        disc_id, etag = mapping.deletion_from_proto(request)
        disc = await self._discs.delete(disc_id, etag)
        return mapping.disc_to_proto(disc)

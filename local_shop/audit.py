"""The whole audit: what the services say, what the databases say, and the verdict."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import grpc

from local_shop.database_audit import DatabaseAudit, audit_databases
from local_shop.errors import LocalShopError
from local_shop.shop_env import ShopEnv
from recordshop.client import RecordShop, error_from_rpc
from recordshop.order.v1 import order_pb2

AUDIT_TIMEOUT_S = 300.0
AGREES = order_pb2.AUDIT_VERDICT_AGREES


@dataclass(frozen=True)
class ShopAudit:
    """One shop's audit: a message for each disc from AuditStock, and the same from the databases."""

    services: list[order_pb2.DiscAudit]
    databases: DatabaseAudit

    @property
    def faults(self) -> list[str]:
        """All that is wrong, in words."""
        return [
            *self.databases.faults,
            *(_told(disc) for disc in self.services if disc.verdict != AGREES),
        ]

    @property
    def agrees(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def verdict(self, disc_id: UUID | None = None, *, agrees: bool | None = None) -> str:
        """Return the line that ends an audit: with the copies of one disc, or of all; the faults are counted over all."""
        discs = [disc for disc in self.databases.discs if disc_id in (None, disc.disc_id)]
        opening, sold, left = (sum(getattr(disc, name) for disc in discs) for name in ("opening", "sold", "left"))
        word = "OK" if (self.agrees if agrees is None else agrees) else "FAILED"
        counted = self.databases
        return (
            f"AUDIT {word} opening={opening} sold={sold} left={left} "
            f"oversold={counted.oversold} lost={counted.lost} duplicated={counted.duplicated}"
        )


async def audit_shop(env: ShopEnv, *, acknowledged: Collection[UUID] = ()) -> ShopAudit:
    """Audit a running shop; LocalShopError if it cannot be audited.

    `acknowledged` are orders of which a client was told that they are CONFIRMED.
    """
    try:
        async with RecordShop(order=env.order_addr) as shop:
            request = order_pb2.AuditStockRequest()
            services = [disc async for disc in shop.orders.AuditStock(request, timeout=AUDIT_TIMEOUT_S)]
    except grpc.aio.AioRpcError as error:
        raise LocalShopError(
            f"The order service at {env.order_addr} gives no audit: {error_from_rpc(error)}"
        ) from error
    try:
        databases = await audit_databases(env.catalog_dsn, env.order_dsn, acknowledged=acknowledged)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LocalShopError(f"The databases cannot be audited: {error}") from error
    return ShopAudit(services, databases)


def _told(disc: order_pb2.DiscAudit) -> str:
    wrong = f", wrong orders {', '.join(disc.wrong_order_ids)}" if disc.wrong_order_ids else ""
    open_orders = f", {disc.open} orders are not final" if disc.open else ""
    name = order_pb2.AuditVerdict.Name(disc.verdict).removeprefix("AUDIT_VERDICT_")
    return (
        f"the services say that disc {disc.disc_id} {name}: opening {disc.opening}, moved {disc.moved}, "
        f"left {disc.left}, held {disc.held}, sold {disc.sold}{wrong}{open_orders}"
    )

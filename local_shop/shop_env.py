"""`shop.env`: where a running shop is, as KEY=value lines that a shell can read too."""

from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Self

from local_shop.errors import LocalShopError
from local_shop.private_files import write_private
from local_shop.shop import LocalShop

SHOP_ENV = "shop.env"


@dataclass(frozen=True, kw_only=True)
class ShopEnv:
    """Addresses (`host:port`), databases and metrics (a URL, "" without) of a shop; the file has the names of the fields in capitals."""

    catalog_addr: str
    customer_addr: str
    order_addr: str
    catalog_dsn: str
    customer_dsn: str
    order_dsn: str
    admin_dsn: str
    catalog_metrics_url: str = ""
    customer_metrics_url: str = ""
    order_metrics_url: str = ""

    @classmethod
    def of(cls, shop: LocalShop) -> Self:
        """Describe a shop of this process' own."""
        return cls(**{name: getattr(shop, name) for name in cls.__dataclass_fields__})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file; LocalShopError if there is none, or if it lacks something."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise LocalShopError(f"No shop is running here ({path} is missing): start one with `make run`.") from None
        known = dict(line.split("=", 1) for line in lines if "=" in line)
        try:
            return cls(
                **{
                    field.name: known[field.name.upper()]
                    for field in fields(cls)
                    if field.default is MISSING or field.name.upper() in known
                }
            )
        except KeyError as missing:
            raise LocalShopError(f"{path} has no line for {missing}.") from None

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all, for its owner alone: the databases' passwords are in it."""
        write_private(path, "".join(f"{name.upper()}={value}\n" for name, value in asdict(self).items()))

"""A shop behind locks: real certificates, real tokens, real processes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from local_shop.certs import CA_FILE, make_certs
from local_shop.copies import copy_databases, drop_databases
from local_shop.locked import locked_settings
from local_shop.ports import HOST, free_ports
from local_shop.process_logs import FileLog
from local_shop.shop import SERVICES, LocalShop, ShopOptions
from recordshop.channels import Tls
from tests.conftest import HASTY_RECOVERY, ProvisionedPostgres


@dataclass(frozen=True)
class LockedShop:
    """The processes, the folder of certificates and keys, and the ports at which services call."""

    local: LocalShop
    certs: Path
    mtls_ports: Mapping[str, int]
    logs: Mapping[str, Path]

    @property
    def tls(self) -> Tls:
        """How callers with tokens connect."""
        return Tls(ca=self.certs / CA_FILE)

    def tls_of(self, service: str) -> Tls:
        """How a service connects to its neighbours."""
        return Tls(
            ca=self.certs / CA_FILE,
            certificate=self.certs / f"{service}.pem",
            key=self.certs / f"{service}.key",
        )

    def mtls_address(self, service: str) -> str:
        """Where a service's neighbours call it."""
        return f"{HOST}:{self.mtls_ports[service]}"

    def log(self, service: str) -> str:
        """All that a service has said."""
        return self.logs[service].read_text(encoding="utf-8")


OpenLockedShop = Callable[..., LockedShop]


@contextmanager
def locked_shops(postgres: ProvisionedPostgres, folder: Path) -> Iterator[OpenLockedShop]:
    """Opens shops with databases, certificates and processes of their own."""
    with ExitStack() as stack:

        def open_shop(settings: Mapping[str, Mapping[str, str]] | None = None) -> LockedShop:
            suffix = uuid4().hex
            certs = folder / suffix
            make_certs(certs)
            databases = copy_databases(postgres.server, suffix)
            stack.callback(drop_databases, postgres.server, databases)
            mtls_ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
            locked = locked_settings(certs, mtls_ports)
            given = settings or {}
            logs = {service: folder / f"{service}-{suffix}.log" for service in locked}
            options = ShopOptions(
                databases=databases,
                settings={
                    service: {
                        **(HASTY_RECOVERY if service == "order" else {}),
                        **locked[service],
                        **given.get(service, {}),
                    }
                    for service in locked
                },
                log_of=lambda service: FileLog(logs[service]),
            )
            local = stack.enter_context(LocalShop(postgres.server, postgres.passwords, options))
            return LockedShop(local, certs, mtls_ports, logs)

        yield open_shop


@pytest.fixture(scope="module")
def locked(postgres: ProvisionedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedShop]:
    """The locked shop that the tests of a file share."""
    with locked_shops(postgres, tmp_path_factory.mktemp("locked")) as open_shop:
        yield open_shop()


@pytest.fixture
def open_locked_shop(postgres: ProvisionedPostgres, tmp_path: Path) -> Iterator[OpenLockedShop]:
    """Opens locked shops of the test's own."""
    with locked_shops(postgres, tmp_path) as open_shop:
        yield open_shop

"""`make run`: the shop in the foreground until it is stopped, its data kept."""

import fcntl
import os
import select
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local_shop.errors import LocalShopError
from local_shop.postgres import LocalPostgres
from local_shop.provision import provision
from local_shop.report import say
from local_shop.shop import SERVICES, LocalShop, ShopOptions
from local_shop.shop_env import SHOP_ENV, ShopEnv

# Settings that reach the services from the environment of `make run`; all else of it stays outside.
PASSED_ON = {"catalog": ("STOCK_STRATEGY", "USE_OPTIMISTIC_CC"), "order": ("ORDER_MODE",)}
JOHN_DOE = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
TELEMETRY_PREFIXES = ("OTEL_", "LOG_")


def run_shop(ports: Mapping[str, int], metrics_ports: Mapping[str, int], shop_dir: Path) -> None:
    """Run the shop on these ports until Ctrl-C (KeyboardInterrupt); LocalShopError if a part of it ends by itself.

    0 is any free port, for metrics.
    """
    env_file = shop_dir / SHOP_ENV
    shop_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_run_in(shop_dir))
        # A run that was killed could not remove it.
        env_file.unlink(missing_ok=True)
        server = stack.enter_context(LocalPostgres(data_dir=shop_dir / "postgres"))
        passwords = provision(server)
        options = ShopOptions(ports=ports, metrics_ports=metrics_ports, settings=passed_on())
        shop = stack.enter_context(LocalShop(server, passwords, options))
        stack.callback(env_file.unlink, missing_ok=True)
        env = ShopEnv.of(shop)
        say(_welcome(env, env_file))
        env.write(env_file)
        _wait_until_one_ends([server.pid, *(process.pid for process in shop.processes)])
        shop.raise_if_ended()
        raise LocalShopError(f"PostgreSQL ended; see {server.log_file}.")


def passed_on() -> dict[str, dict[str, str]]:
    """What this process' environment says to each service: of traces and logs to all alike."""

    def is_for(service: str, name: str) -> bool:
        return name.startswith(TELEMETRY_PREFIXES) or name in PASSED_ON.get(service, ())

    return {
        service: {name: value for name, value in os.environ.items() if is_for(service, name)} for service in SERVICES
    }


@contextmanager
def _only_run_in(shop_dir: Path) -> Iterator[None]:
    with (shop_dir / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalShopError(f"A shop is running in {shop_dir} already: stop that one first.") from None
        yield


def _wait_until_one_ends(pids: list[int]) -> None:
    with ExitStack() as stack:
        descriptors = []
        for pid in pids:
            descriptors.append(os.pidfd_open(pid))
            stack.callback(os.close, descriptors[-1])
        select.select(descriptors, [], [])


def _welcome(env: ShopEnv, env_file: Path) -> str:
    order = f'{{"customer_id": "{JOHN_DOE}", "request_id": "my-first-order", "lines": [{{"disc_id": "{WE_ARE_REACTIVE}", "quantity": 2}}]}}'
    lines = (
        (env.order_addr, "list"),
        (env.order_addr, "describe recordshop.order.v1.OrderService"),
        (env.catalog_addr, "recordshop.catalog.v1.CatalogService/GetDisc", f'{{"id": "{WE_ARE_REACTIVE}"}}'),
        (env.customer_addr, "recordshop.customer.v1.CustomerService/GetCustomer", f'{{"id": "{JOHN_DOE}"}}'),
        (env.order_addr, "recordshop.order.v1.OrderService/CreateOrder", order),
        (env.order_addr, "recordshop.order.v1.OrderService/AuditStock", f'{{"disc_ids": ["{WE_ARE_REACTIVE}"]}}'),
    )
    calls = "\n".join(f"  {_grpcurl(*line)}" for line in lines)
    return (
        f"\nThe shop is open: catalog {env.catalog_addr}, customer {env.customer_addr}, order {env.order_addr}.\n"
        f"Its databases and metrics are in {env_file}; `make top` shows how it is doing. To talk to it:\n\n{calls}\n\n"
        f"Ctrl-C closes it; its data stays.\n"
    )


def _grpcurl(address: str, what: str, request: str | None = None) -> str:
    data = f"-d '{request}' " if request else ""
    return f"grpcurl -plaintext {data}{address} {what}"

"""The command line: `python -m local_shop run | demo | audit | top | certs | token`; the Makefile calls it."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from local_shop.audit import audit_shop
from local_shop.demo import DemoPlan, run_demo
from local_shop.errors import LocalShopError
from local_shop.report import say, show_audit
from local_shop.run import run_shop
from local_shop.shop_env import SHOP_ENV, ShopEnv

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

ShopDir = Annotated[Path, typer.Option(envvar="SHOP_DIR", help="Where data and reports are kept.")]
DEFAULT_SHOP_DIR = Path(__file__).parent.parent / ".shop"
CertsDir = Annotated[Path, typer.Option(envvar="CERTS_DIR", help="Where certificates and keys are kept.")]
DEFAULT_CERTS_DIR = DEFAULT_SHOP_DIR / "certs"


@app.command()
def run(
    *,
    catalog_port: Annotated[int, typer.Option(envvar="CATALOG_PORT", min=1, max=65_535)] = 50_051,
    customer_port: Annotated[int, typer.Option(envvar="CUSTOMER_PORT", min=1, max=65_535)] = 50_052,
    order_port: Annotated[int, typer.Option(envvar="ORDER_PORT", min=1, max=65_535)] = 50_053,
    catalog_metrics_port: Annotated[int, typer.Option(envvar="CATALOG_METRICS_PORT", min=0, max=65_535)] = 0,
    customer_metrics_port: Annotated[int, typer.Option(envvar="CUSTOMER_METRICS_PORT", min=0, max=65_535)] = 0,
    order_metrics_port: Annotated[int, typer.Option(envvar="ORDER_METRICS_PORT", min=0, max=65_535)] = 0,
    shop_dir: ShopDir = DEFAULT_SHOP_DIR,
) -> None:
    """Run the shop in the foreground; Ctrl-C stops it, and its data stays."""
    ports = {"catalog": catalog_port, "customer": customer_port, "order": order_port}
    metrics_ports = {
        "catalog": catalog_metrics_port,
        "customer": customer_metrics_port,
        "order": order_metrics_port,
    }
    with _told_errors():
        try:
            run_shop(ports, metrics_ports, shop_dir)
        except KeyboardInterrupt:
            say("The shop is closed.")


@app.command()
def demo(
    seconds: Annotated[int, typer.Option(envvar="DEMO_SECONDS", min=1, max=86_400)] = 60,
    rate: Annotated[int, typer.Option(envvar="DEMO_RATE", min=1, max=10_000, help="Orders a second.")] = 50,
    clients: Annotated[int, typer.Option(envvar="DEMO_CLIENTS", min=1, max=1_000, help="Clients of the burst.")] = 90,
    shop_dir: ShopDir = DEFAULT_SHOP_DIR,
) -> None:
    """Sell a disc out under load, storm another one, and audit every copy."""
    with _told_errors():
        agrees = run_demo(DemoPlan(seconds=seconds, rate=rate, clients=clients), shop_dir)
    raise typer.Exit(0 if agrees else EXIT_FAILED)


@app.command()
def audit(shop_dir: ShopDir = DEFAULT_SHOP_DIR) -> None:
    """Audit the shop that runs, from its services and straight from its databases."""
    with _told_errors():
        outcome = asyncio.run(audit_shop(ShopEnv.read(shop_dir / SHOP_ENV)))
    show_audit(outcome)
    say(outcome.verdict())
    raise typer.Exit(0 if outcome.agrees else EXIT_FAILED)


@app.command()
def certs(folder: CertsDir = DEFAULT_CERTS_DIR) -> None:
    """Make a CA, certificates and a key for tokens to try TLS out with, or renew the certificates."""
    from local_shop.certs import make_certs  # noqa: PLC0415 - other commands do without cryptography.

    with _told_errors():
        make_certs(folder)
    say(f"{folder} has a CA, certificates and a key for tokens. For a try-out, not for production.")


@app.command()
def token(
    role: Annotated[str, typer.Argument(help="customer, clerk, admin or auditor.")],
    subject: Annotated[str, typer.Argument(help="Whose token it is: a customer's id, anybody's name.")],
    folder: CertsDir = DEFAULT_CERTS_DIR,
) -> None:
    """Print a token for a caller, good for an hour, signed with the key that `certs` made."""
    from local_shop.certs import make_token  # noqa: PLC0415 - other commands do without cryptography.

    with _told_errors():
        print(make_token(folder, role=role, subject=subject))


@app.command()
def top(
    once: Annotated[bool, typer.Option(envvar="TOP_ONCE", help="Show one frame and end.")] = False,  # noqa: FBT002
    shop_dir: ShopDir = DEFAULT_SHOP_DIR,
) -> None:
    """Show how the shop that runs is doing, until q or Ctrl-C; one frame if the output is no terminal."""
    from local_shop.top import show_top  # noqa: PLC0415 -- only who looks at it pays for rich

    with _told_errors():
        try:
            asyncio.run(show_top(shop_dir, once=once))
        except KeyboardInterrupt:
            return


@contextmanager
def _told_errors() -> Iterator[None]:
    """End the process with 1 and a message if the shop fails, and quietly if it was interrupted, when all is stopped."""
    try:
        yield
    except (LocalShopError, OSError) as error:  # An OSError: the folder is another user's, or the disk is full.
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _interrupt(number: int, frame: object) -> None:
    """Do as Ctrl-C would: whoever handles that now, asyncio or Python itself, stops all in good order."""
    del number, frame
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """Run the command that was asked for; SIGTERM and a closed terminal stop it like Ctrl-C."""
    # A shell's background job may have been started with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    app()


if __name__ == "__main__":
    main()

"""What the benchmarks' commands have in common: a folder, an end in good order, and an exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from benchmarks.folder import bench_folder
from local_shop.errors import LocalShopError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
DEFAULT_SHOP_DIR = Path(__file__).parent.parent / ".shop"

ShopDir = Annotated[Path, typer.Option(envvar="SHOP_DIR", help="Where the report goes, and the databases.")]
Answer = TypeVar("Answer")


def wants(variable: str) -> bool:
    """Tell whether the environment has this variable, and it is neither empty nor 0."""
    return os.environ.get(variable, "0") not in {"", "0"}


def run_in_folder(shop_dir: Path, run: Callable[[Path], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run in the benchmarks' folder below `shop_dir`; what keeps it from its end is told, and becomes the exit code."""
    try:
        with bench_folder(shop_dir) as folder:
            return asyncio.run(run(folder))
    except LocalShopError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def start(app: typer.Typer) -> None:
    """Run a command; SIGTERM and a closed terminal stop it like Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    app()


def _interrupt(number: int, frame: object) -> None:
    """Do as Ctrl-C would, and stop all in good order."""
    del number, frame
    signal.raise_signal(signal.SIGINT)

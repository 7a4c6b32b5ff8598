"""Breaks everything but the promise: `python -m tests.chaos [run | mutants]`; `make chaos` and `make chaos-mutants` call it."""

import asyncio
import random
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from local_shop.errors import LocalShopError
from tests.chaos.folder import chaos_folder
from tests.chaos.mutants import run_mutants
from tests.chaos.report import as_json, is_well, last_line, write_report
from tests.chaos.run import SHORT_RUN_S, run_chaos
from tests.chaos.small_disk import enter_namespace
from tests.chaos.stage import Ground, opened_ground

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
SEEDS = 1_000_000
DEFAULT_SHOP_DIR = Path(__file__).parents[2] / ".shop"

Answer = TypeVar("Answer")
Seed = Annotated[
    str, typer.Option(envvar="CHAOS_SEED", help="Repeats a run: its faults and its load follow from the seed.")
]
ShopDir = Annotated[Path, typer.Option(envvar="SHOP_DIR", help="Where the report goes, and the databases meanwhile.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def run(
    seed: Seed = "",
    minutes: Annotated[float, typer.Option(envvar="CHAOS_MINUTES", min=0.1, max=10_000)] = SHORT_RUN_S / 60,
    shop_dir: ShopDir = DEFAULT_SHOP_DIR,
) -> None:
    """Load on two replicas of each service while a nemesis strikes, and every rule held against what was answered."""
    chosen = seed or str(random.randrange(SEEDS))
    say(f"seed {chosen}: CHAOS_SEED={chosen} repeats this run")
    ran = on_ground(shop_dir, lambda ground: run_chaos(ground, chosen, minutes * 60, say))
    write_report(shop_dir / "chaos.json", as_json(ran))
    for kind, reason in ran.skipped.items():
        say(f"skipped {kind}: {reason}")
    for violation in ran.tally.violations[:10]:
        say(f"VIOLATION {violation.rule}: {violation.what}\n  " + "\n  ".join((violation.subject, *violation.history)))
    say(last_line(ran))
    raise typer.Exit(0 if is_well(ran) else EXIT_FAILED)


@app.command()
def mutants(seed: Seed = "", shop_dir: ShopDir = DEFAULT_SHOP_DIR, only: Annotated[str, typer.Option()] = "") -> None:
    """Break one rule after the other, in the services' processes alone, and see the harness find it."""
    ran = on_ground(shop_dir, lambda ground: run_mutants(ground, seed or "1", say, only))
    write_report(shop_dir / "chaos-mutants.json", ran.as_json())
    say(ran.last_line())
    raise typer.Exit(0 if ran.all_caught else EXIT_FAILED)


def on_ground(shop_dir: Path, act: Callable[[Ground], Coroutine[Any, Any, Answer]]) -> Answer:
    """Acts on a PostgreSQL in a folder that goes at the end; errors of the shop's end this process with a word."""
    fault = enter_namespace()
    try:
        with chaos_folder(shop_dir) as folder, opened_ground(folder, fault) as ground:
            return asyncio.run(act(ground))
    except LocalShopError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def say(text: str) -> None:
    """Shows a line at once."""
    typer.echo(text)
    sys.stdout.flush()


def _interrupt(number: int, frame: object) -> None:
    """Does as Ctrl-C would, which stops everything in good order."""
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """Runs the command; SIGTERM and a closed terminal stop it like Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    app()


if __name__ == "__main__":
    main()

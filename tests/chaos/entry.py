"""Runs a service for the harness: `python -m tests.chaos.entry [--mutant NAME] [--lag STEP=SHARE:SECONDS]... SERVICE`.

A lag holds a share of those who come to a failpoint there for up to so many seconds; the step `*` is any other. A mutant breaks a rule.
"""

import argparse
import asyncio
import importlib
import random
from collections.abc import Mapping

from service_runtime import failpoints

ANY = "*"


def lag_of(text: str) -> tuple[str, float, float]:
    """Reads one lag."""
    step, _, rest = text.partition("=")
    share, _, seconds = rest.partition(":")
    return step, float(share), float(seconds)


def install_lags(lags: Mapping[str, tuple[float, float]]) -> None:
    """Holds processes between two steps, where other things then happen."""

    async def wait(name: str) -> None:
        share, seconds = lags.get(name) or lags.get(ANY, (0.0, 0.0))
        if random.random() < share:
            await asyncio.sleep(random.uniform(0.0, seconds))

    failpoints.install(wait)


def main() -> None:
    """Changes what was asked for, and then is the service, started as ever."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.entry")
    parser.add_argument("--lag", type=lag_of, action="append", default=[])
    parser.add_argument("--mutant")
    parser.add_argument("service", choices=["catalog_service", "customer_service", "order_service"])
    options, arguments = parser.parse_known_args()
    install_lags({step: (share, seconds) for step, share, seconds in options.lag})
    if options.mutant:
        # Not before it is asked for: a mutant imports the service that it breaks.
        importlib.import_module("tests.chaos.patches").apply(options.mutant, options.service)
    importlib.import_module(f"{options.service}.__main__").main(arguments)


if __name__ == "__main__":
    main()

"""Runs a service as the benchmark needs it: `python -m benchmarks.entry [--fresh-ids] [--ungrouped] order_service`."""

import argparse
import importlib
import os
from pathlib import Path

from benchmarks import fresh_ids, ungrouped
from benchmarks.props import PROPS_VARIABLE, Props


def main() -> None:
    """Change what was asked for, and then be the service, started as ever."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.entry")
    parser.add_argument("--fresh-ids", action="store_true", help="make a new order of every request")
    parser.add_argument("--ungrouped", action="store_true", help="switch group commit off")
    parser.add_argument("service", choices=["catalog_service", "order_service"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the service's own")
    options = parser.parse_args()
    if options.fresh_ids:
        fresh_ids.install(fresh_ids.FreshIds.of(Props.read(Path(os.environ[PROPS_VARIABLE]))))
    if options.ungrouped:
        ungrouped.install()
    importlib.import_module(f"{options.service}.__main__").main(options.arguments)


if __name__ == "__main__":
    main()

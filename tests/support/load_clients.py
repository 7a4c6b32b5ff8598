"""Which of the benchmark's clients are here, the lightest first; ghz can be built wherever Go is."""

import shutil

import pytest

from tests.support.go_tools import GHZ, GoMissing, find_or_install

CLIENTS = ("h2load", "ghz") if shutil.which("h2load") else ("ghz",)


def skip_without_client() -> None:
    """Builds ghz if there is nothing lighter; skips where that cannot be."""
    if CLIENTS == ("ghz",):
        try:
            find_or_install(GHZ)
        except GoMissing as missing:
            pytest.skip(str(missing))

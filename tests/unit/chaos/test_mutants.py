"""Each mutant finds the place that it breaks, and nothing else does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.mutants import MUTANTS
from tests.chaos.patches import PATCHES, cut_out, put
from tests.chaos.patches_catalog import MUTANTS as OF_THE_CATALOG
from tests.chaos.patches_order import MUTANTS as OF_THE_ORDER_SERVICE

ROOT = Path(__file__).parents[3]
MUTANTS_MIN = 6
APPLY = "import sys; from tests.chaos.patches import apply; [apply(name, sys.argv[1]) for name in sys.argv[2:]]"


def test_there_are_enough_and_each_has_a_schedule_and_a_patch() -> None:
    assert len(MUTANTS) >= MUTANTS_MIN
    assert MUTANTS.keys() == OF_THE_CATALOG.keys() | OF_THE_ORDER_SERVICE.keys()
    assert OF_THE_CATALOG.keys().isdisjoint(OF_THE_ORDER_SERVICE)


@pytest.mark.parametrize("service", PATCHES)
def test_the_patches_find_their_places(service: str) -> None:
    # In a process of its own, which then is as broken as a service would be.
    done = subprocess.run(
        [sys.executable, "-c", APPLY, service, *MUTANTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_patch_whose_place_is_gone_is_an_error() -> None:
    class Statements:
        INSERT = "INSERT INTO orders"

    with pytest.raises(LookupError, match="the mutant must follow"):
        cut_out(Statements, "INSERT", "ON CONFLICT", "")
    with pytest.raises(LookupError, match="the mutant must follow"):
        put(Statements, "DELETE", "")
    cut_out(Statements, "INSERT", " INTO orders", "")
    assert Statements.INSERT == "INSERT"

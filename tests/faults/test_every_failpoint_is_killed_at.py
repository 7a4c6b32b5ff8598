"""The suite knows every failpoint that there is."""

import re
from pathlib import Path

from tests.faults.crashes import ALL, ANONYMIZING

ROOT = Path(__file__).parents[2]
PACKAGES = ("catalog_service", "customer_service", "order_service", "service_runtime")


def test_every_failpoint_in_the_code_has_a_test_that_kills_the_process_there() -> None:
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    calls = sum(source.count("failpoints.reach(") for source in sources)
    found = [name for source in sources for name in re.findall(r'failpoints\.reach\("([a-z_.]+)"\)', source)]
    assert len(found) == calls, "a failpoint's name is not a plain string"
    assert set(found) == {*ANONYMIZING, *(crash.failpoint for crash in ALL)}

"""docs/protocol.md names tests; they exist, and it forgets no kill."""

import re
from pathlib import Path

from tests.faults.crashes import ALL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text()
FAULTS = ROOT / "tests" / "faults"
NONE = {"none": None}
LINE_OF_TABLE = re.compile(r"^\| `([a-z_.]+)` \| (\S+) \| (\S+) \| (\d) \|.*\| `\[(\S+)\]` \|$", re.MULTILINE)


def named_tests() -> set[tuple[str, str]]:
    return set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE))


def test_every_test_that_the_page_names_exists() -> None:
    missing = [
        f"{path}::{name}"
        for path, name in named_tests()
        if not (ROOT / path).exists()
        or not re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert not missing
    assert PAGE.count("::test_") == len(
        re.findall(r"`tests/[\w/]+\.py::test_\w+`|`tests/faults/\.\.\.::test_name\[case\]`", PAGE)
    )


def test_every_file_that_the_page_names_exists() -> None:
    assert not [path for path in re.findall(r"`(tests/[\w/]+\.py)", PAGE) if not (ROOT / path).exists()]


def test_the_tables_of_crash_points_are_the_kills_that_are_tested() -> None:
    told = [
        (case, failpoint, NONE.get(order, order), NONE.get(ledger, ledger), int(journal))
        for failpoint, order, ledger, journal, case in LINE_OF_TABLE.findall(PAGE)
    ]
    tested = [
        (str(crash), crash.failpoint, crash.on_disk.order, crash.on_disk.ledger, crash.on_disk.journal) for crash in ALL
    ]
    assert told == tested


def test_the_page_names_every_test_of_a_hole() -> None:
    written = {
        (str(path.relative_to(ROOT)), name)
        for folder in ("order_service", "catalog_service", "service_runtime")
        for path in (FAULTS / folder).glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert written - named_tests() == set()

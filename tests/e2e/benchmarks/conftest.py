"""A stage for the benchmark's parts, on a PostgreSQL of its own, and a client."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.ghz import Ghz
from benchmarks.h2load import H2load
from benchmarks.load import LoadGenerator
from benchmarks.stage import Stage, opened_stage
from tests.support.go_tools import GHZ, GoMissing, find_or_install
from tests.support.load_clients import CLIENTS


@pytest.fixture(scope="package")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """PostgreSQL with the template of a shop; each test opens shops of its own names on it."""
    folder: Path = tmp_path_factory.mktemp("stage")
    async with opened_stage(folder, customers=50, discs=20) as stage:
        yield stage


@pytest.fixture
async def ghz(tmp_path: Path) -> Ghz:
    """ghz, which is built where it is missing and Go is there."""
    try:
        return await Ghz.find(find_or_install(GHZ), tmp_path)
    except GoMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def h2load(tmp_path: Path) -> H2load:
    """The lightest client; ask for it only where it is."""
    return await H2load.find(Path(shutil.which("h2load") or "h2load"), tmp_path)


@pytest.fixture
def client(request: pytest.FixtureRequest) -> LoadGenerator:
    """The lightest client that is here."""
    found: LoadGenerator = request.getfixturevalue(CLIENTS[0])
    return found

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from local_shop.copies import copy_databases, drop_databases
from local_shop.postgres import LocalPostgres
from tests.faults.stage import Stage, open_stage

DATABASES_SUFFIX = "faults"
WORKERS_SUFFIX = "workers"
# The pools of all workers, and of a second service's, fit into what PostgreSQL allows their role.
WORKERS = {"WORKERS": "2", "POSTGRES_POOL_SIZE_MAX": "6"}


class Provisioned(Protocol):
    """What is used here of the server that all tests share."""

    server: LocalPostgres
    passwords: Mapping[str, str]
    folder: Path


@pytest.fixture(scope="session")
async def shared_stage(postgres: Provisioned) -> AsyncIterator[Stage]:
    """One shop for all tests of faults, on databases of its own."""
    databases = copy_databases(postgres.server, DATABASES_SUFFIX)
    async with open_stage(postgres.server, postgres.passwords, postgres.folder, databases) as stage:
        yield stage
    drop_databases(postgres.server, databases)


@pytest.fixture
async def stage(shared_stage: Stage) -> AsyncIterator[Stage]:
    """The shop, all of it running; also after a test that failed with a process killed or frozen."""
    yield shared_stage
    await shared_stage.stand_up()


@pytest.fixture(scope="module")
async def shared_worker_stage(postgres: Provisioned) -> AsyncIterator[Stage]:
    """A shop whose order service has two workers, for all tests of a module."""
    databases = copy_databases(postgres.server, WORKERS_SUFFIX)
    folder = postgres.folder / WORKERS_SUFFIX
    folder.mkdir()
    async with open_stage(postgres.server, postgres.passwords, folder, databases, **WORKERS) as stage:
        yield stage
    drop_databases(postgres.server, databases)


@pytest.fixture
async def worker_stage(shared_worker_stage: Stage) -> AsyncIterator[Stage]:
    """The shop whose order service has two workers, all of it running."""
    yield shared_worker_stage
    await shared_worker_stage.stand_up()

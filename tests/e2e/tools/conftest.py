"""grpcurl and ghz for the tests of this folder."""

from pathlib import Path

import pytest

from tests.support.go_tools import GHZ, GRPCURL, GoMissing, GoTool, find_or_install


@pytest.fixture(scope="session")
def grpcurl() -> Path:
    """The path of grpcurl; the tests that use it are skipped where it is not and cannot be built."""
    return found_or_skipped(GRPCURL)


@pytest.fixture(scope="session")
def ghz() -> Path:
    """The path of ghz; the tests that use it are skipped where it is not and cannot be built."""
    return found_or_skipped(GHZ)


def found_or_skipped(tool: GoTool) -> Path:
    try:
        return find_or_install(tool)
    except GoMissing as error:
        pytest.skip(str(error))

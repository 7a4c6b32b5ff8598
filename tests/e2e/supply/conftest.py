"""A pip-audit of its own, by its lock file, and a PyPI that it asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from supply.__main__ import install_auditor
from tests.support.fake_pypi import FakePypi, fake_pypi


@pytest.fixture(scope="package")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python that has pip-audit."""
    return install_auditor(tmp_path_factory.mktemp("auditor"))


@pytest.fixture
def pypi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePypi]:
    """What pip-audit takes for PyPI from now on; it knows of no advisory yet."""
    with fake_pypi(tmp_path / "pypi") as fake:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        yield fake

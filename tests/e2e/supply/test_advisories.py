"""pip-audit itself, against a PyPI of the test's own."""

from pathlib import Path

import pytest

from local_shop.ports import HOST, free_port
from supply.__main__ import AUDITOR_LOCK
from supply.advisories import AuditFailed, Checked, NotReachable
from supply.advisories import look_up as look_up_among
from tests.support.fake_pypi import FakePypi
from tests.support.wheels import lock_line

# Installing pip-audit takes as long as its index does.
pytestmark = pytest.mark.timeout(600)


def look_up(auditor: Path, lock: Path, cache: Path) -> Checked | NotReachable:
    return look_up_among(auditor, lock, cache, on_pypi=AUDITOR_LOCK)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file of two packages, which need not exist."""
    path = tmp_path / "requirements.lock"
    path.write_text(lock_line("left", "0" * 64) + lock_line("right-hand", "1" * 64), encoding="utf-8")
    return path


def test_packages_without_advisories_are_checked(auditor: Path, pypi: FakePypi, lock: Path, tmp_path: Path) -> None:
    assert look_up(auditor, lock, tmp_path) == Checked(frozenset({"left", "right-hand"}), [])


def test_each_known_advisory_is_told(auditor: Path, pypi: FakePypi, lock: Path, tmp_path: Path) -> None:
    pypi.advisories["left"] = ["PYSEC-2030-1", "PYSEC-2030-2"]
    checked = look_up(auditor, lock, tmp_path)
    assert isinstance(checked, Checked)
    assert checked.packages == {"left", "right-hand"}
    assert sorted(checked.known) == [f"left 1.0: PYSEC-2030-{number}, mended in 9.0" for number in (1, 2)]


@pytest.mark.parametrize("instead", [(503, "{}"), (403, "<html>"), (200, "<html>please sign in</html>")], ids=str)
def test_a_pypi_that_answers_anything_else_is_not_reachable(
    auditor: Path, pypi: FakePypi, lock: Path, tmp_path: Path, instead: tuple[int, str]
) -> None:
    pypi.instead = instead
    assert isinstance(look_up(auditor, lock, tmp_path), NotReachable)


def test_a_pypi_that_is_not_there_is_not_reachable(
    auditor: Path, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://{HOST}:{free_port()}")
    assert isinstance(look_up(auditor, lock, tmp_path), NotReachable)


def test_yesterdays_answers_are_not_taken_for_todays(auditor: Path, pypi: FakePypi, lock: Path, tmp_path: Path) -> None:
    assert isinstance(look_up(auditor, lock, tmp_path / "yesterday"), Checked)
    pypi.instead = (503, "{}")
    assert isinstance(look_up(auditor, lock, tmp_path / "today"), NotReachable)


def test_a_package_that_pypi_does_not_know_is_not_passed_over(
    auditor: Path, pypi: FakePypi, lock: Path, tmp_path: Path
) -> None:
    pypi.unknown = frozenset({"left"})
    with pytest.raises(AuditFailed, match="left: Dependency not found on PyPI"):
        look_up(auditor, lock, tmp_path)


def test_an_index_in_pypis_place_that_has_no_advisories_is_not_reachable(
    auditor: Path, pypi: FakePypi, lock: Path, tmp_path: Path
) -> None:
    pypi.instead = (404, "{}")
    assert isinstance(look_up(auditor, lock, tmp_path), NotReachable)


def test_a_lock_file_without_hashes_is_a_failure(auditor: Path, pypi: FakePypi, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("left==1.0\n", encoding="utf-8")
    with pytest.raises(AuditFailed, match="hash"):
        look_up(auditor, lock, tmp_path)


def a_pip_audit_that(does: str, path: Path) -> Path:
    path.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "does", ["echo broken >&2; exit 1", "exit 0", "echo '{}'", "echo '{\"dependencies\": []}'; exit 3"]
)
def test_a_pip_audit_that_breaks_is_a_failure_and_no_silence(lock: Path, tmp_path: Path, does: str) -> None:
    with pytest.raises(AuditFailed):
        look_up(a_pip_audit_that(does, tmp_path / "python"), lock, tmp_path)

"""`make audit-deps`: its last line and its exit code for all that can be wrong, and on the project's own lock file."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from supply.__main__ import Audit
from tests.support.fake_pypi import FakePypi
from tests.support.wheels import lock_line, make_wheel

ROOT = Path(__file__).parents[3]
AUDIT_TIMEOUT_S = 600.0

pytestmark = pytest.mark.timeout(900)


class Ended(NamedTuple):
    """How a run ended: its exit code, its last line, and all that it said."""

    code: int
    last: str
    said: str


RunAudit = Callable[..., Ended]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only one that packages of the lock file come from."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def run(auditor: Path, wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> RunAudit:
    """Runs an audit of a lock file with these lines."""

    def run_it(*lines: str, pip_audit: Path = auditor) -> Ended:
        lock = tmp_path / "requirements.lock"
        lock.write_text("".join(lines), encoding="utf-8")
        audit = Audit(lock=lock, sbom=tmp_path / "sbom.json", folder=tmp_path, install_auditor=lambda _: pip_audit)
        code = audit.run()
        said = capsys.readouterr().out
        return Ended(code, said.rstrip().splitlines()[-1], said)

    return run_it


def test_all_is_well(run: RunAudit, wheels: Path, pypi: FakePypi, tmp_path: Path) -> None:
    ended = run(make_wheel(wheels, "left", requires=["right_hand"]), make_wheel(wheels, "right_hand"))
    assert ended[:2] == (0, "advisories: checked 2")
    sbom = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "record-shop")
    assert [component["purl"] for component in sbom["components"]] == ["pkg:pypi/left@1.0", "pkg:pypi/right-hand@1.0"]


def test_an_advisory_is_told_and_fails(run: RunAudit, wheels: Path, pypi: FakePypi) -> None:
    pypi.advisories["left"] = ["PYSEC-2030-1"]
    ended = run(make_wheel(wheels, "left"))
    assert ended[:2] == (1, "advisories: checked 1")
    assert "WRONG: left 1.0: PYSEC-2030-1" in ended.said


def test_advisories_that_are_not_reachable_are_not_green(run: RunAudit, wheels: Path, pypi: FakePypi) -> None:
    pypi.instead = (503, "{}")
    assert run(make_wheel(wheels, "left"))[:2] == (2, "advisories: not reachable")


@pytest.mark.parametrize("instead", [None, (503, "{}")], ids=["advisories_answer", "advisories_do_not"])
def test_a_package_that_lacks_what_it_needs_fails(
    run: RunAudit, wheels: Path, pypi: FakePypi, instead: tuple[int, str] | None
) -> None:
    pypi.instead = instead
    ended = run(make_wheel(wheels, "left", requires=["right_hand"]))
    assert ended[:2] == (1, "advisories: not reachable" if instead else "advisories: checked 1")
    assert re.search(r"WRONG: pip check failed:\nleft 1.0 requires right.hand, which is not installed", ended.said)


def test_a_lock_file_whose_hash_is_another_one_fails_and_its_advisories_are_still_looked_up(
    run: RunAudit, wheels: Path, pypi: FakePypi, tmp_path: Path
) -> None:
    make_wheel(wheels, "left")
    ended = run(lock_line("left", "0" * 64))
    assert ended[:2] == (1, "advisories: checked 1")
    assert "does not install" in ended.said
    assert not (tmp_path / "sbom.json").exists()


def test_a_lock_file_with_a_package_without_a_hash_fails(run: RunAudit, wheels: Path, pypi: FakePypi) -> None:
    make_wheel(wheels, "left")
    ended = run("left==1.0\n")
    assert ended[:2] == (1, "advisories: checked 0")
    assert "does not install" in ended.said


def test_a_package_that_was_not_looked_up_fails(run: RunAudit, wheels: Path, tmp_path: Path) -> None:
    forgetful = tmp_path / "python"
    forgetful.write_text('#!/bin/sh\necho \'{"dependencies": [{"name": "left", "version": "1.0", "vulns": []}]}\'\n')
    forgetful.chmod(0o755)
    ended = run(make_wheel(wheels, "left"), make_wheel(wheels, "right_hand"), pip_audit=forgetful)
    assert ended[:2] == (1, "advisories: checked 1")
    assert "WRONG: not looked up: right-hand" in ended.said


def test_the_projects_own_lock_file_installs_and_is_listed_and_looked_up(tmp_path: Path) -> None:
    sbom = tmp_path / "sbom.json"
    done = subprocess.run(
        [sys.executable, "-m", "supply", "--sbom", str(sbom)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=AUDIT_TIMEOUT_S,
        check=False,
    )
    last = done.stdout.rstrip().splitlines()[-1]
    components = json.loads(sbom.read_text(encoding="utf-8"))["components"]
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert {component["purl"].split("@")[0].removeprefix("pkg:pypi/") for component in components} == set(locked)
    # What the world knows against a package today is no fault of this test's; that it is told is what it looks for.
    wrong = re.findall(r"^WRONG: (.*)", done.stdout, re.MULTILINE)
    assert all(re.fullmatch(r"\S+ \S+: \S+, .*mended.*", line) for line in wrong), done.stdout + done.stderr
    if last == "advisories: not reachable":
        assert (done.returncode, wrong) == (2, []), done.stdout + done.stderr
    else:
        assert (done.returncode, last) == (1 if wrong else 0, f"advisories: checked {len(locked)}")

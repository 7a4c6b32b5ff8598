"""Looks packages up among the known advisories, with pip-audit, which asks PyPI."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUDIT_TIMEOUT_S = 300.0
TOLD_LINES_MAX = 5
# What pip-audit says when PyPI is not reached, or answers with something other than advisories. The errors of its HTTP library reach
# its caller as tracebacks.
SIGNS_OF_SILENCE = ("Could not connect to", "PyPI is not redirecting properly", "requests.exceptions.")
SIGN_OF_A_STRANGER = "Dependency not found on PyPI"


@dataclass(frozen=True)
class Checked:
    """The packages that were looked up, by canonical name, and what is known against them, each in a line."""

    packages: frozenset[str]
    known: Sequence[str]


@dataclass(frozen=True)
class NotReachable:
    """Nobody answered, or not with advisories."""

    reason: str


class AuditFailed(Exception):
    """pip-audit ended without an answer, and not because nobody answered it."""


class PackageUnknown(AuditFailed):
    """Who was asked knows no such package."""


def look_up(python: Path, lock: Path, cache: Path, *, on_pypi: Path) -> Checked | NotReachable:
    """Look up each package of a lock file with the pip-audit that `python` has; AuditFailed if that cannot be done.

    Answers are kept in `cache`: an empty one makes sure that they are of now. `on_pypi` is a lock file of packages that PyPI has for
    certain: who does not know them either is an index that stands in for PyPI and has no advisories.
    """
    try:
        return _ask(python, lock, cache)
    except PackageUnknown as unknown:
        try:
            _ask(python, on_pypi, cache)
        except PackageUnknown:
            return NotReachable(str(unknown))
        raise


def _ask(python: Path, lock: Path, cache: Path) -> Checked | NotReachable:
    command: list[str | Path] = [python, "-m", "pip_audit", "--strict", "--disable-pip", "--require-hashes"]
    options: list[str | Path] = ["--format", "json", "--progress-spinner", "off", "--cache-dir", cache]
    done = subprocess.run(
        [*command, *options, "--requirement", lock],
        capture_output=True,
        text=True,
        timeout=AUDIT_TIMEOUT_S,
        check=False,
    )
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _silence(done.stderr)
    known = [
        f"{package['name']} {package['version']}: {advisory['id']}, {_mended(advisory['fix_versions'])}"
        for package in dependencies
        for advisory in package.get("vulns", ())
    ]
    if done.returncode != 0 and not known:
        raise AuditFailed(f"pip-audit found nothing, and ended with {done.returncode}:\n{done.stderr}")
    return Checked(frozenset(package["name"] for package in dependencies if "skip_reason" not in package), known)


def _silence(said: str) -> NotReachable:
    """Say why there is no answer; AuditFailed if it is not that nobody gave one."""
    told = "\n".join(said.splitlines()[-TOLD_LINES_MAX:])
    if any(sign in said for sign in SIGNS_OF_SILENCE):
        return NotReachable(told)
    kind = PackageUnknown if SIGN_OF_A_STRANGER in said else AuditFailed
    raise kind(f"pip-audit failed:\n{told}")


def _mended(versions: Sequence[str]) -> str:
    return f"mended in {', '.join(versions)}" if versions else "not mended yet"

"""Audits what the services run on: `make audit-deps`.

The lock file is installed by its hashes into an empty environment, which pip then checks; an SBOM of it is written, and each of its
packages is looked up among the known advisories. A step that fails does not keep the next one from being tried.

The last line is `advisories: checked N`, N being the packages that were looked up, or `advisories: not reachable`. The exit code is 0
if all was checked and nothing is wrong, 2 if nothing is wrong but advisories were not reachable, and 1 else.
"""

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from supply.advisories import AuditFailed, Checked, NotReachable, look_up
from supply.environment import Environment, PipFailed
from supply.sbom import canonical, write_sbom

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
# pip-audit and what it needs, for an environment of its own.
AUDITOR_LOCK = ROOT / "supply" / "auditor.lock"
SBOM = ROOT / ".shop" / "sbom.json"
EXIT_WRONG = 1
EXIT_NOT_REACHABLE = 2


class Audit:
    """One run over one lock file, with the pip-audit of the Python that `install_auditor` puts into a folder.

    `is_right` turns False with the first thing that is wrong, and stays so.
    """

    def __init__(self, *, lock: Path, sbom: Path, folder: Path, install_auditor: Callable[[Path], Path]) -> None:
        self._lock = lock
        self._sbom = sbom
        self._folder = folder
        self._install_auditor = install_auditor
        self.is_right = True

    def run(self) -> int:
        """Run all steps, say what each found, and return the exit code."""
        installed = self._install()
        try:
            answer = self._look_up()
        except (PipFailed, AuditFailed) as failed:
            self._wrong(str(failed))
            answer = Checked(frozenset(), ())
        if isinstance(answer, NotReachable):
            print(answer.reason, file=sys.stderr, flush=True)
            print("advisories: not reachable")
            return EXIT_NOT_REACHABLE if self.is_right else EXIT_WRONG
        for line in answer.known:
            self._wrong(line)
        if unchecked := installed - answer.packages:
            self._wrong(f"not looked up: {', '.join(sorted(unchecked))}")
        print(f"advisories: checked {len(answer.packages)}")
        return 0 if self.is_right else EXIT_WRONG

    def _install(self) -> frozenset[str]:
        """Install the lock file, list and check what is there, and return the packages' canonical names."""
        shop = Environment(self._folder / "shop")
        try:
            shop.install_lock(self._lock)
        except PipFailed as failed:
            self._wrong(f"{self._lock.name} does not install: {failed}")
            return frozenset()
        packages = shop.packages()
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        write_sbom(self._sbom, product=project, packages=packages)
        print(f"{len(packages)} packages installed by their hashes, and listed in {self._sbom}")
        try:
            shop.check()
        except PipFailed as failed:
            self._wrong(str(failed))
        return frozenset(canonical(package["name"]) for package in packages)

    def _look_up(self) -> Checked | NotReachable:
        auditor = self._install_auditor(self._folder / "auditor")
        return look_up(auditor, self._lock, self._folder / "cache", on_pypi=AUDITOR_LOCK)

    def _wrong(self, what: str) -> None:
        self.is_right = False
        print(f"WRONG: {what}", flush=True)


def install_auditor(folder: Path) -> Path:
    """Install pip-audit, by its hashes too, and return the Python that has it; PipFailed if it does not install."""
    auditor = Environment(folder)
    auditor.install_lock(AUDITOR_LOCK)
    return auditor.python


def main(arguments: Sequence[str] | None = None) -> None:
    """Audit the lock file that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m supply", description="Audits what the services run on.")
    parser.add_argument("--lock", type=Path, default=LOCK, help="what is audited; default: requirements.lock")
    parser.add_argument("--sbom", type=Path, default=SBOM, help="where the list goes; default: .shop/sbom.json")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="record-shop-audit-") as folder:
        code = Audit(lock=asked.lock, sbom=asked.sbom, folder=Path(folder), install_auditor=install_auditor).run()
    raise SystemExit(code)


if __name__ == "__main__":
    main()

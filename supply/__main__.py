"""Audits what the services run on: `make audit-deps`.

The lock file is installed by its hashes into an empty environment, which pip then checks; an SBOM of it is written, and it is looked up
among the known advisories. The last line is `advisories: checked N` or `advisories: not reachable`. The exit code is 0 only if all was
checked and nothing was found.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
SBOM = ROOT / ".shop" / "sbom.json"
PIP_AUDIT = "pip-audit==2.10.1"
INSTALL_TIMEOUT_S = 600.0
AUDIT_TIMEOUT_S = 300.0
EXIT_FOUND = 1
EXIT_NOT_REACHABLE = 2


def main() -> None:
    """Runs all steps; a step that fails ends it."""
    with tempfile.TemporaryDirectory(prefix="record-shop-audit-") as folder:
        shop = _environment(Path(folder) / "shop")
        _pip(shop, "install", "--require-hashes", "--only-binary", ":all:", "--requirement", LOCK)
        print(_pip(shop, "check").strip())
        installed = json.loads(_pip(shop, "inspect", "--local"))["installed"]
        _write_sbom([package["metadata"] for package in installed])
        auditor = _environment(Path(folder) / "auditor")
        _pip(auditor, "install", PIP_AUDIT)
        found = _audit(auditor)
    if found is None:
        print("advisories: not reachable")
        raise SystemExit(EXIT_NOT_REACHABLE)
    unchecked = [package["name"] for package in found if "skip_reason" in package]
    known = [(package, advisory) for package in found for advisory in package.get("vulns", ())]
    for package, advisory in known:
        print(f"{package['name']} {package['version']}: {advisory['id']}, mended in {advisory['fix_versions']}")
    if unchecked:
        print(f"not checked: {', '.join(unchecked)}")
    print(f"advisories: checked {len(found) - len(unchecked)}")
    raise SystemExit(EXIT_FOUND if known or unchecked else 0)


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def _pip(python: Path, *arguments: str | Path) -> str:
    command = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise SystemExit(f"pip {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _write_sbom(packages: list[dict[str, Any]]) -> None:
    """Writes CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/)."""
    components = [
        {
            "type": "library",
            "name": package["name"],
            "version": package["version"],
            "purl": f"pkg:pypi/{package['name'].lower().replace('_', '-')}@{package['version']}",
        }
        for package in sorted(packages, key=lambda package: package["name"].lower())
        if package["name"] != "pip"
    ]
    content = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}
    SBOM.parent.mkdir(exist_ok=True)
    SBOM.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written: {SBOM.relative_to(ROOT)}, {len(components)} components")


def _audit(python: Path) -> list[dict[str, Any]] | None:
    """Asks for the advisories of each package of the lock file; None if nobody answers."""
    command = [python, "-m", "pip_audit", "--strict", "--disable-pip", "--require-hashes", "--format", "json"]
    done = subprocess.run(
        [*command, "--progress-spinner", "off", "--requirement", LOCK],
        capture_output=True,
        text=True,
        timeout=AUDIT_TIMEOUT_S,
        check=False,
    )
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("\n".join(done.stderr.splitlines()[-1:])[:200], file=sys.stderr)
        return None
    return dependencies


if __name__ == "__main__":
    main()

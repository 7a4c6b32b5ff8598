"""The list of what the services run on, as CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/)."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def canonical(name: str) -> str:
    """Return a package's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def write_sbom(path: Path, *, product: Mapping[str, Any], packages: Iterable[Mapping[str, Any]]) -> None:
    """Write the list; `product` and `packages` have name and version."""
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": product["name"], "version": product["version"]}},
        "components": [_component(package["name"], package["version"]) for package in packages],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _component(name: str, version: str) -> dict[str, str]:
    # https://github.com/package-url/purl-spec: the name is canonical.
    purl = f"pkg:pypi/{canonical(name)}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}

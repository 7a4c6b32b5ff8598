"""Reports as files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(report: Mapping[str, Any], path: Path) -> None:
    """Write a report, whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)

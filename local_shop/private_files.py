"""Files that hold passwords: readable by their owner alone, and never seen half written."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, all of it or nothing, and durably."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 -- made from a descriptor, to have its mode
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)

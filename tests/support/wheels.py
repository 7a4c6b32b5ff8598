"""Wheels of a test's own, and lock files that name them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

VERSION = "1.0"


def make_wheel(folder: Path, name: str, *, requires: Sequence[str] = ()) -> str:
    """Make a package with one empty module; return its line in a lock file."""
    wheel = folder / f"{name}-{VERSION}-py3-none-any.whl"
    info = f"{name}-{VERSION}.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": "\n".join(
            [
                "Metadata-Version: 2.1",
                f"Name: {name}",
                f"Version: {VERSION}",
                *[f"Requires-Dist: {one}" for one in requires],
                "",
            ]
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return lock_line(name, hashlib.sha256(wheel.read_bytes()).hexdigest())


def lock_line(name: str, digest: str) -> str:
    """Return a package's line in a lock file."""
    return f"{name}=={VERSION} --hash=sha256:{digest}\n"

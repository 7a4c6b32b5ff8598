"""Programs of Debian's packages: found on this machine, or unpacked into `.tools`, where they start no service of the machine's."""

import os
import shutil
import subprocess
from pathlib import Path

from local_shop.errors import LocalShopError

TOOLS = Path(__file__).parents[2] / ".tools"
FETCH_TIMEOUT_S = 300.0


class DebianToolMissing(LocalShopError):
    """The program is not on this machine."""


def find_or_fetch(program: str, *, package: str) -> Path:
    """Return the program's path; DebianToolMissing, which says how to get it, if it is not there and cannot be fetched."""
    if found := shutil.which(program):
        return Path(found)
    folder = TOOLS / package
    fetched = folder / "usr" / "bin" / program
    if not fetched.exists():
        _fetch(program, package, folder)
    return fetched


def _fetch(program: str, package: str, folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DebianToolMissing(f"{program} was not found. Install it, so that `{program}` is in the PATH.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if os.geteuid() == 0:
            _run(folder, "apt-get", "update", "--quiet=2")
        _run(folder, "apt-get", "download", "--quiet=2", package)
        [archive] = folder.glob(f"{package}_*.deb")
        _run(folder, "dpkg-deb", "--extract", archive, folder)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or error
        raise DebianToolMissing(
            f"{program} was not found, and could not be fetched. Install it: apt install {package}\n{told}"
        ) from error


def _run(folder: Path, *words: str | Path) -> None:
    subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=True)

"""Finds the native clients that are here."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import NoLoadGenerator
from benchmarks.ghz import Ghz
from benchmarks.h2load import H2load
from benchmarks.load import LoadGenerator

TOOLS = Path(__file__).parent.parent / ".tools" / "bin"


@dataclass(frozen=True)
class Generators:
    """The client that measures, and another one beside it, if it is here."""

    lightest: LoadGenerator
    other: LoadGenerator | None


async def find_generators(folder: Path) -> Generators:
    """Return h2load, with ghz beside it, or else ghz alone; NoLoadGenerator if there is neither."""
    h2load, ghz = shutil.which("h2load"), _find_ghz()
    found: list[LoadGenerator] = []
    if h2load is not None:
        found.append(await H2load.find(Path(h2load), folder))
    if ghz is not None:
        found.append(await Ghz.find(ghz, folder))
    if not found:
        raise NoLoadGenerator(
            "The benchmark needs h2load (on Debian: apt install nghttp2-client) or ghz (https://ghz.sh, or what `make ghz` builds)."
        )
    return Generators(found[0], found[1] if len(found) > 1 else None)


def _find_ghz() -> Path | None:
    if on_path := shutil.which("ghz"):
        return Path(on_path)
    # Where `make ghz` and the tests build it.
    return next(iter(sorted(TOOLS.glob("ghz-v*"))), None)

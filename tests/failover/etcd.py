"""etcd, which Patroni agrees through on who is the primary: found on this machine, or fetched from Debian's packages."""

import os
import shutil
import subprocess
from pathlib import Path

from local_shop.errors import LocalShopError

ROOT = Path(__file__).parents[2]
FETCHED = ROOT / ".tools" / "etcd"
PACKAGE = "etcd-server"
FETCH_TIMEOUT_S = 300.0
VERSION_TIMEOUT_S = 10.0


class EtcdMissing(LocalShopError):
    """There is no etcd on this machine."""


def find_or_fetch() -> Path:
    """Return etcd's program; EtcdMissing, which says how to get it, if it is not there and cannot be fetched."""
    if found := shutil.which("etcd"):
        return Path(found)
    program = FETCHED / "usr" / "bin" / "etcd"
    if not program.exists():
        _fetch()
    return program


def version_of(program: Path) -> str:
    """Return etcd's version, such as 3.4.23."""
    answer = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=True
    )
    return answer.stdout.splitlines()[0].rpartition(" ")[2]


def command(program: Path, folder: Path, *, client_port: int, peer_port: int) -> list[str | Path]:
    """Return the command of a cluster of one member on 127.0.0.1, with its data in `folder`."""
    clients, peers = (f"http://127.0.0.1:{port}" for port in (client_port, peer_port))
    return [
        *(program, "--name", "etcd", "--data-dir", folder),
        *("--listen-client-urls", clients, "--advertise-client-urls", clients),
        *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"etcd={peers}"),
    ]


def _fetch() -> None:
    """Unpack Debian's package into this project's folder: installed as usual, it would start a service of the machine's."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise EtcdMissing(
            "etcd was not found. Install it, so that `etcd` is in the PATH: https://etcd.io/docs/latest/install/"
        )
    FETCHED.mkdir(parents=True, exist_ok=True)
    try:
        if os.geteuid() == 0:
            _run("apt-get", "update", "--quiet=2")
        _run("apt-get", "download", "--quiet=2", PACKAGE)
        [package] = FETCHED.glob(f"{PACKAGE}_*.deb")
        _run("dpkg-deb", "--extract", package, FETCHED)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or error
        raise EtcdMissing(
            f"etcd was not found, and could not be fetched. Install it: apt install {PACKAGE}\n{told}"
        ) from error


def _run(*words: str | Path) -> None:
    subprocess.run(words, cwd=FETCHED, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=True)

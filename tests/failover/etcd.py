"""etcd, which Patroni agrees through on who is the primary: found on this machine, or fetched from Debian's packages."""

import subprocess
from pathlib import Path

from tests.support import debian_tool

PACKAGE = "etcd-server"
VERSION_TIMEOUT_S = 10.0


def find_or_fetch() -> Path:
    """Return etcd's program; DebianToolMissing, which says how to get it, if it is not there and cannot be fetched."""
    return debian_tool.find_or_fetch("etcd", package=PACKAGE)


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

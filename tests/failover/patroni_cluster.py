"""Three nodes under Patroni, with etcd, on this machine's loopback."""

import importlib.metadata
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request

from local_shop.account import choose_account, launched
from local_shop.binaries import find_binaries
from local_shop.cluster import plain_environment
from local_shop.errors import LocalShopError
from local_shop.ports import HOST, free_ports
from tests.failover import etcd
from tests.failover.node import HTTP, Node
from tests.failover.node_config import USERS, node_settings

NODES = 3
POLL_S = 0.2
START_TIMEOUT_S = 120.0
SWITCHOVER_TIMEOUT_S = 60.0
KILL_TIMEOUT_S = 10.0
GUARDIAN = Path(__file__).with_name("guardian.py")
PASSWORD_BYTES = 18
# Beside what the local shop needs of PostgreSQL.
PROGRAMS = ("pg_basebackup", "pg_controldata", "pg_ctl", "pg_rewind")


class PatroniCluster:
    """As a context manager it is whole inside, and gone after. Enter it in the main thread, and outlive it there."""

    def __init__(self, folder: Path, *, synchronous: bool = True) -> None:
        self.folder = folder
        self.bin = find_binaries()
        if missing := [program for program in PROGRAMS if not (self.bin / program).exists()]:
            raise LocalShopError(f"{self.bin} has no {', '.join(missing)}: set PG_BIN to a complete PostgreSQL.")
        self.passwords = {kind: secrets.token_urlsafe(PASSWORD_BYTES) for kind in USERS}
        self._synchronous = synchronous
        self._etcd_program = etcd.find_or_fetch()
        ports = free_ports(2 * NODES + 2)
        self._etcd_ports = ports[:2]
        account = choose_account(self.bin, folder)
        self.nodes = tuple(
            Node(
                name=name,
                folder=folder,
                account=account,
                port=port,
                rest_port=rest_port,
                settings=self._settings(name, port, rest_port),
            )
            for name, port, rest_port in zip("abc", ports[2 : 2 + NODES], ports[2 + NODES :], strict=True)
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start_guardian(stack)
            self._start_etcd(stack)
            for node in self.nodes:
                stack.callback(node.kill)
                node.start()
            self._wait_until_whole()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def hosts(self) -> str:
        """All nodes, as POSTGRES_HOST takes them."""
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    @property
    def versions(self) -> dict[str, str]:
        """What it runs on."""
        server = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True, check=True)
        return {
            "postgresql": server.stdout.split()[2],
            "patroni": importlib.metadata.version("patroni"),
            "etcd": etcd.version_of(self._etcd_program),
        }

    def primary(self) -> Node:
        """Return the node that is the primary now; LocalShopError if there is none."""
        for node in self.nodes:
            if node.status().get("role") == "primary":
                return node
        raise LocalShopError("The cluster has no primary at this moment.")

    def has_other_primary(self, old: Node) -> bool:
        """Tell whether another node is the primary now."""
        return any(node.status().get("role") == "primary" for node in self.nodes if node is not old)

    def is_whole(self) -> bool:
        """Tell whether one node is the primary and all others follow it, one of them synchronously."""
        told = [node.status() for node in self.nodes]
        primaries = [one for one in told if one.get("role") == "primary"]
        if len(primaries) != 1 or any(one.get("state") != "running" for one in told):
            return False
        followers = [one for one in primaries[0].get("replication", ()) if one.get("state") == "streaming"]
        # Only who is named in etcd may take over. After a restart the primary names nobody at first, and if it fails then, all wait for it.
        in_step = not self._synchronous or "sync_standby" in self.nodes[0].roles()
        same_history = len({one.get("timeline") for one in told}) == 1
        return len(followers) == NODES - 1 and same_history and in_step

    def switch_over(self) -> None:
        """Ask Patroni to make the synchronous standby the primary."""
        primary = self.primary()
        body = f'{{"leader": "{primary.name}"}}'.encode()
        request = Request(f"http://{HOST}:{primary.rest_port}/switchover", data=body, method="POST")
        try:
            with HTTP.open(request, timeout=SWITCHOVER_TIMEOUT_S) as answer:
                answer.read()
        except HTTPError as error:
            raise LocalShopError(f"Patroni refused to switch over: {error.read().decode()}") from error

    def _wait_until_whole(self) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self.is_whole():
            if time.monotonic() > deadline_s:
                raise LocalShopError(f"The cluster is not whole after {START_TIMEOUT_S:.0f} s.")
            time.sleep(POLL_S)

    def _start_guardian(self, stack: ExitStack) -> None:
        guardian = subprocess.Popen([sys.executable, "-I", "-S", GUARDIAN, self.folder], stdin=subprocess.PIPE, cwd="/")
        # Its stdin is closed first, and with it all is over that the run has not ended itself.
        stack.callback(guardian.communicate, timeout=KILL_TIMEOUT_S)

    def _start_etcd(self, stack: ExitStack) -> None:
        client_port, peer_port = self._etcd_ports
        command = etcd.command(self._etcd_program, self.folder / "etcd", client_port=client_port, peer_port=peer_port)
        log = stack.enter_context((self.folder / "etcd.log").open("wb"))
        process = subprocess.Popen(
            launched([Path(command[0]).resolve(), *command[1:]], folder=self.folder, end_signal=signal.SIGKILL),
            env={name: value for name, value in plain_environment().items() if not name.startswith("ETCD_")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(process.wait, KILL_TIMEOUT_S)
        stack.callback(process.kill)

    def _settings(self, name: str, port: int, rest_port: int) -> dict[str, Any]:
        return node_settings(
            name=name,
            data_dir=self.folder / name,
            bin_dir=self.bin,
            port=port,
            rest_port=rest_port,
            etcd_port=self._etcd_ports[0],
            passwords=self.passwords,
            synchronous=self._synchronous,
        )

"""One node: Patroni and the PostgreSQL that it runs, as processes to be killed, frozen and started again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from local_shop.account import Account, launched
from local_shop.cluster import plain_environment, postmaster_pid
from local_shop.listening import children
from local_shop.ports import HOST

ANSWER_TIMEOUT_S = 1.0
KILL_TIMEOUT_S = 10.0
# Not through a proxy that the environment may name.
HTTP = build_opener(ProxyHandler({}))


class Node:
    """A member of the cluster; `start` belongs to the main thread, as the process ends with the thread that started it."""

    def __init__(
        self, *, name: str, folder: Path, account: Account, port: int, rest_port: int, settings: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.port = port
        self.rest_port = rest_port
        self.log_file = folder / f"{name}.log"
        self._folder = folder
        self._account = account
        self._data_dir = Path(settings["postgresql"]["data_dir"])
        self._config = folder / f"{name}.yml"
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps(settings, indent=2), encoding="utf-8")
        account.own(folder)
        self._patroni: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL; it is told to end, and ends both, when this process ends in whatever way."""
        command = launched(
            [sys.executable, "-m", "patroni", self._config],
            folder=self._folder,
            end_signal=signal.SIGTERM,
            way=self._account.way,
            uid=self._account.uid,
            gid=self._account.gid,
        )
        with self.log_file.open("ab") as log:
            self._patroni = subprocess.Popen(
                command,
                env=plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def status(self) -> dict[str, Any]:
        """Return what Patroni says of its PostgreSQL at this moment; nothing if it does not answer."""
        return self._asked("patroni")

    def roles(self) -> list[str]:
        """Return the members' roles as they stand in etcd at this moment; none if Patroni does not answer."""
        return [member["role"] for member in self._asked("cluster").get("members", ())]

    def _asked(self, path: str) -> dict[str, Any]:
        try:
            with HTTP.open(f"http://{HOST}:{self.rest_port}/{path}", timeout=ANSWER_TIMEOUT_S) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except (OSError, URLError, ValueError):
            return {}

    def kill_postgres(self) -> None:
        """End the whole PostgreSQL as a crash would (SIGKILL)."""
        self._signal(self._postgres_pids(), signal.SIGKILL)

    def kill(self) -> None:
        """End Patroni and PostgreSQL as the loss of the machine would (SIGKILL)."""
        # Patroni first: it would start PostgreSQL again.
        patroni, self._patroni = self._patroni, None
        if patroni is not None:
            patroni.kill()
            patroni.wait(KILL_TIMEOUT_S)
        self.kill_postgres()

    def freeze(self) -> None:
        """Freeze Patroni and PostgreSQL (SIGSTOP): connections stay open, and nobody answers."""
        self._signal(self._pids(), signal.SIGSTOP)
        # Those that began meanwhile.
        self._signal(self._pids(), signal.SIGSTOP)

    def freeze_patroni(self) -> None:
        """Freeze Patroni alone (SIGSTOP)."""
        if self._patroni is not None:
            self._patroni.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen node go on (SIGCONT)."""
        self._signal(self._pids(), signal.SIGCONT)

    def _pids(self) -> list[int]:
        if self._patroni is None:
            return self._postgres_pids()
        return [self._patroni.pid, *children(self._patroni.pid), *self._postgres_pids()]

    def _postgres_pids(self) -> list[int]:
        """PostgreSQL's processes, first the one that starts the others. One whose folder is another's is not ours."""
        pid = postmaster_pid(self._data_dir)
        if pid is None:
            return []
        with suppress(OSError):
            if Path(f"/proc/{pid}/cwd").resolve() == self._data_dir.resolve():
                return [pid, *children(pid)]
        return []

    def _signal(self, pids: list[int], number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

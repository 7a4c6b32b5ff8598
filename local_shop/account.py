"""The user that PostgreSQL runs as: whoever runs the shop, or, because it refuses root, someone in root's place."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local_shop.errors import RootNotAllowed

LAUNCHER = Path(__file__).with_name("launcher.py")
TRIAL_TIMEOUT_S = 10.0
NOBODY_UID = 65534
FAST_STOP = signal.SIGINT  # As PostgreSQL reads it.

Way = Literal["as_is", "namespace", "setuid"]


@dataclass(frozen=True)
class Account:
    """Who PostgreSQL runs as, and who its files belong to as seen from outside (`file_uid`, `file_gid`)."""

    way: Way
    uid: int
    gid: int
    file_uid: int
    file_gid: int

    def command(self, folder: Path, program: Sequence[str | Path]) -> list[str]:
        """Return the command that runs a program of PostgreSQL's in `folder` as this account, as `launched` does."""
        return launched(program, folder=folder, end_signal=FAST_STOP, way=self.way, uid=self.uid, gid=self.gid)

    def own(self, folder: Path) -> None:
        """Give `folder` and all in it to this account, unless it has it already."""
        if folder.stat().st_uid == self.file_uid:
            return
        for path, _, names in os.walk(folder):
            for name in ("", *names):
                os.chown(os.path.join(path, name), self.file_uid, self.file_gid, follow_symlinks=False)  # noqa: PTH118


def launched(
    program: Sequence[str | Path], *, folder: Path, end_signal: int, way: Way = "as_is", uid: int = 0, gid: int = 0
) -> list[str]:
    """Return the command that runs `program` in `folder`, sent `end_signal` when this process ends in whatever way.

    Linux sends it when the starting *thread* ends: start it from one that lasts.
    """
    launcher = [sys.executable, "-I", "-S", LAUNCHER, os.getpid(), int(end_signal), way, uid, gid, folder]
    return [str(part) for part in (*launcher, *program)]


def choose_account(bin_dir: Path, folder: Path) -> Account:
    """Return an account that can run the PostgreSQL in `bin_dir` and reach `folder`; RootNotAllowed if none can."""
    faults = []
    for account in possible_accounts():
        fault = _fault_of(account, bin_dir, folder)
        if fault is None:
            return account
        faults.append(f"\n  {fault}")
    raise RootNotAllowed(
        f"PostgreSQL does not run as this user here. Run as a normal user, with the project in a folder of that "
        f"user's.{''.join(faults)}"
    )


def possible_accounts() -> Iterator[Account]:
    """Yield the ways to run PostgreSQL that are worth a trial for the present user, the best first."""
    if os.geteuid() != 0:
        uid, gid = os.geteuid(), os.getegid()
        yield Account("as_is", uid, gid, uid, gid)
        return
    stand_in = _unprivileged_user()
    # First the one that leaves files and folders root's own, so that a clone in root's closed home needs nothing.
    yield Account("namespace", stand_in.pw_uid, stand_in.pw_gid, 0, os.getegid())
    yield Account("setuid", stand_in.pw_uid, stand_in.pw_gid, stand_in.pw_uid, stand_in.pw_gid)


def _unprivileged_user() -> pwd.struct_passwd:
    """Return an existing user to stand in for root, as PostgreSQL looks up the name of the user it runs as."""
    users = [user for user in pwd.getpwall() if user.pw_uid != 0]
    for user in users:
        if user.pw_uid == NOBODY_UID or user.pw_name == "nobody":
            return user
    if not users:
        raise RootNotAllowed("PostgreSQL refuses to run as root, and /etc/passwd knows nobody else.")
    return users[0]


def _fault_of(account: Account, bin_dir: Path, folder: Path) -> str | None:
    trial = account.command(folder, [bin_dir / "postgres", "--version"])
    try:
        answer = subprocess.run(trial, capture_output=True, text=True, timeout=TRIAL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{account.way}: no answer within {TRIAL_TIMEOUT_S:.0f} s"
    return None if answer.returncode == 0 else answer.stderr.strip()

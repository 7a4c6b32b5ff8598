"""A disk that can be full: a file system in memory whose size is changed while it is in use.

It lives in a mount namespace of this process' own, and so ends with it, in whatever way.
"""

import ctypes
import os
from pathlib import Path

from local_shop.account import Account
from local_shop.postgres import LocalPostgres
from local_shop.provision import run_sql

# From linux/sched.h and linux/mount.h.
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_REMOUNT = 32
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

SIZE_MAX_BYTES = 2 * 1024 * 1024 * 1024
FOLDER = "small_disk"
TABLESPACE = "small_disk"

_libc = ctypes.CDLL(None, use_errno=True)


class SmallDisk:
    """A file system that databases are on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self) -> None:
        """Leaves no room."""
        used = os.statvfs(self._folder)
        self._resize((used.f_blocks - used.f_bfree) * used.f_frsize)

    def clear(self) -> None:
        """Makes room again."""
        self._resize(SIZE_MAX_BYTES)

    def take_in(self, server: LocalPostgres, databases: list[str]) -> None:
        """Moves databases, to which nobody is connected, here."""
        run_sql(server, *(f"ALTER DATABASE {name} SET TABLESPACE {TABLESPACE}" for name in databases))

    def unmount(self) -> None:
        """Takes the file system away, with all that is on it."""
        _checked(_libc.umount2(str(self._folder).encode(), MNT_DETACH))

    def _resize(self, size_bytes: int) -> None:
        _mount("", self._folder, MS_REMOUNT, f"size={size_bytes}")


def enter_namespace() -> str | None:
    """Gives this process mounts of its own; answers why that is not possible, or None. Call it before there are threads."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        if uid != 0:
            # Whoever is not root may mount in a user namespace, where the system allows one.
            _checked(_libc.unshare(CLONE_NEWUSER))
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        _checked(_libc.unshare(CLONE_NEWNS))
        _mount("none", Path("/"), MS_REC | MS_PRIVATE, None)
    except OSError as error:
        return f"this process may have no mounts of its own ({error.strerror}): run as root"
    return None


def make_small_disk(server: LocalPostgres, folder: Path, account: Account) -> SmallDisk | str:
    """Mounts a small disk in `folder` and tells PostgreSQL of it; answers why that is not possible instead."""
    place = folder / FOLDER
    place.mkdir()
    try:
        _mount("tmpfs", place, 0, f"size={SIZE_MAX_BYTES},mode=0700")
    except OSError as error:
        return f"a file system in memory cannot be mounted ({error.strerror}): run as root"
    account.own(place)
    run_sql(server, f"CREATE TABLESPACE {TABLESPACE} LOCATION '{place}'")
    return SmallDisk(place)


def _mount(source: str, target: Path, flags: int, data: str | None) -> None:
    options = None if data is None else data.encode()
    _checked(_libc.mount(source.encode(), str(target).encode(), b"tmpfs", ctypes.c_ulong(flags), options))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

"""Becomes a program that does not run as root and that ends when the process that started it ends.

Run by path as a program of its own, in a bare interpreter (`python -I -S`): between fork and exec a process
with threads may do next to nothing, and all this has to happen there.

    launcher.py PARENT_PID END_SIGNAL WAY UID GID FOLDER PROGRAM [ARGUMENT...]

END_SIGNAL is the number of the signal that the program gets when the parent ends. WAY is `as_is`, `namespace` (root
of this machine is seen as UID inside a user namespace: files stay root's) or `setuid` (the process really is UID).
FOLDER becomes the working directory, which also proves that it can be reached.
"""

import ctypes
import os
import sys
from pathlib import Path

EXIT_NOT_LAUNCHED = 125

# From linux/sched.h, linux/prctl.h and linux/capability.h.
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_namespace(uid: int, gid: int) -> None:
    """Let this process be seen, by itself, as `uid`; outside it stays who it was."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    checked(libc.unshare(CLONE_NEWUSER), "unshare")
    # The kernel takes a map of groups from inside only after setgroups was given up.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")


def become(uid: int, gid: int) -> None:
    """Become `uid`, keeping of root's rights only the one to walk through folders that are closed to others.

    With it PostgreSQL runs in a clone below a 0700 home, whose mode nobody has to change. Where root itself has few
    rights, as in some containers, it is left out.
    """
    # Rights then outlive the change of user, and access(2), by which PostgreSQL looks for its own files, heeds them.
    rights_outlive = libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if not rights_outlive:
        return
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    only = 1 << CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0)  # effective, permitted, inheritable; then the upper halves
    checked(libc.capset(header, sets), "capset")
    checked(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), "ambient capability")


def end_with_parent(parent_pid: int, end_signal: int) -> None:
    """Have a signal sent to this process when its parent ends in whatever way."""
    checked(libc.prctl(PR_SET_PDEATHSIG, end_signal, 0, 0, 0), "prctl")
    if os.getppid() != parent_pid:
        raise OSError("the parent ended before its child began")


def main() -> None:
    parent_pid, end_signal, way, uid, gid, folder, *command = sys.argv[1:]
    try:
        if way == "namespace":
            enter_namespace(int(uid), int(gid))
        elif way == "setuid":
            become(int(uid), int(gid))
        # After the change of user, because the kernel forgets the death signal with it.
        end_with_parent(int(parent_pid), int(end_signal))
        os.chdir(folder)
        if not os.access(command[0], os.X_OK):
            raise PermissionError(f"{command[0]} cannot be run")
        os.execv(command[0], command)  # noqa: S606 -- a program and its arguments, no shell
    except OSError as error:
        sys.stderr.write(f"{way}: {error}\n")
        sys.exit(EXIT_NOT_LAUNCHED)


if __name__ == "__main__":
    main()

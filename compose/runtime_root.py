"""Gathers what the services run on, and nothing else, into a folder that becomes the image: `python runtime_root.py FOLDER PATH...`.

That is this Python, each PATH, and the libraries that they load: no shell, no compiler, no package manager, and of the system nothing but
the names of its users. Everything stays at its place, and so do the links that lead to it. It runs while the image is built.
"""

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from py_compile import PycInvalidationMode

# Of Python's own library: what installs and builds packages, draws windows, and tests Python itself. Modules are compiled anew.
LEFT_OUT = (
    *("__pycache__", "config-*", "dist-packages", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests"),
    *("tkinter", "turtle.py", "turtledemo", "venv", "_ctypes_test*", "_test*", "_tkinter*", "_xx*", "xx*"),
)
ELF = b"\x7fELF"
LOADED = re.compile(r"(/\S+) \(0x[0-9a-f]+\)")
LDD_TIMEOUT_S = 60.0
# Loaded by name while a program runs, from where the others are: when a thread ends, and to look up users and hosts.
LOADED_LATER = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
# Where libraries are that are in none of the usual places, and whom TLS trusts.
OF_THE_SYSTEM = (Path("/etc/ld.so.cache"), Path("/etc/ssl/certs/ca-certificates.crt"))
WRITTEN = {
    "/etc/passwd": "root:x:0:0::/nonexistent:/nonexistent\nshop:x:10001:10001::/nonexistent:/nonexistent\n",
    "/etc/group": "root:x:0:\nshop:x:10001:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Root:
    """The folder, filled piece by piece."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []

    def take(self, path: Path, *, without: Sequence[str] = ()) -> None:
        """Copy a file, or a folder with all below it but names `without`, and each link on the way."""
        reached = self._reach(path)
        if not reached.is_dir():
            self._copy(reached)
            return
        for entry in sorted(reached.iterdir()):
            if not any(fnmatch(entry.name, pattern) for pattern in without):
                self.take(entry, without=without)

    def take_libraries(self) -> None:
        """Copy what the programs and libraries that were taken load."""
        for program in [path for path in self._files if _is_elf(path)]:
            for library in _libraries_of(program):
                self.take(library)
                for beside in map(library.with_name, LOADED_LATER):
                    if beside.exists():
                        self.take(beside)

    def write(self, path: str, text: str) -> None:
        """Write a file of the image's own."""
        self._place(Path(path)).write_text(text, encoding="utf-8")

    def _reach(self, path: Path) -> Path:
        """Follow a path from the top, make its links in the folder too, and return where it ends."""
        reached, left = Path("/"), list(path.parts[1:])
        while left:
            part = left.pop(0)
            reached = reached.parent if part == ".." else reached / part
            if reached.is_symlink():
                link, target = self._place(reached), reached.readlink()
                if not link.is_symlink():
                    link.symlink_to(target)
                whole = reached.parent / target
                reached, left = Path("/"), [*whole.parts[1:], *left]
        return reached

    def _copy(self, path: Path) -> None:
        place = self._place(path)
        if not place.exists():
            shutil.copy2(path, place)
            self._files.append(path)

    def _place(self, path: Path) -> Path:
        place = self._folder / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF)) == ELF


def _libraries_of(program: Path) -> Iterator[Path]:
    # It fails for a program that loads nothing, which is as good as an empty answer.
    told = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=LDD_TIMEOUT_S, check=False)
    for found in LOADED.finditer(told.stdout):
        yield Path(found[1])


def main() -> None:
    """Fill the folder."""
    folder, *paths = map(Path, sys.argv[1:])
    root = Root(folder)
    root.take(Path(sys.executable))
    for part in sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}):
        root.take(Path(part), without=LEFT_OUT)
    for path in paths:
        root.take(path, without=["__pycache__"])
    root.take_libraries()
    for path in OF_THE_SYSTEM:
        if path.exists():
            root.take(path)
    for name, text in WRITTEN.items():
        root.write(name, text)
    # Who runs there cannot write, and would compile everything at each start.
    mode = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, quiet=2, stripdir=str(folder), invalidation_mode=mode)


if __name__ == "__main__":
    main()

"""A demo's own folder, and the leftovers of demos that were killed."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from local_shop.errors import LocalShopError

PREFIX = "demo-"
LOCK = "lock"


class DemoFolder:
    """A new folder, removed at the end unless the demo failed or `keep` is set; the next demo removes what was kept."""

    path: Path

    def __init__(self, shop_dir: Path) -> None:
        self._shop_dir = shop_dir
        self._lock: IO[str] | None = None
        self.keep = False

    def __enter__(self) -> Self:
        with _locked(self._shop_dir / "demo.lock"):
            for old in self._shop_dir.glob(f"{PREFIX}*/"):
                _remove_unless_in_use(old)
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._shop_dir))
            self._lock = (self.path / LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.keep or isinstance(error, LocalShopError):
            print(f"Its databases and logs stay in {self.path} until the next demo.", flush=True)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_unless_in_use(folder: Path) -> None:
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # Another demo runs in it, or it is another user's.

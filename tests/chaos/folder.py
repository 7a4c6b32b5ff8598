"""The harness' own folder: one run at a time works in it, and the next one clears what was left."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_shop.errors import LocalShopError

FOLDER = "chaos"


@contextmanager
def chaos_folder(shop_dir: Path) -> Iterator[Path]:
    """Yields an empty folder below `shop_dir`; its logs stay until the next run, and the databases go.

    LocalShopError if another run is under way.
    """
    shop_dir.mkdir(parents=True, exist_ok=True)
    folder = shop_dir / FOLDER
    with (shop_dir / f"{FOLDER}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalShopError(f"Another run is under way in {folder}: wait for its end.") from None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            for path in folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.suffix != ".log":
                    path.unlink()

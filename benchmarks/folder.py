"""The benchmark's own folder: one run at a time works in it, and its end clears it."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import BenchmarkFailed

FOLDER = "bench"


@contextmanager
def bench_folder(shop_dir: Path) -> Iterator[Path]:
    """Yield an empty folder below `shop_dir`; if the run fails, by itself, it stays until the next one.

    BenchmarkFailed if another run is under way.
    """
    shop_dir.mkdir(parents=True, exist_ok=True)
    folder = shop_dir / FOLDER
    with (shop_dir / f"{FOLDER}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkFailed(
                f"Another benchmark runs in {folder}: two at once would measure each other."
            ) from None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)

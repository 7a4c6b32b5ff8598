"""What processes hold in memory."""

import resource
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Read what a process has in memory now (proc(5), statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()

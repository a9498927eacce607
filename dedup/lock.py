"""The one writer of an index: whoever holds the lock (flock) on its LOCK file.

The system gives the lock up when its process ends, however it ends, so one is never stale; a
process forked from the writer has it too, until it ends or runs another program. On a network file
system it holds as far as that file system's flock does.
"""

import re
from pathlib import Path
from typing import Final

from dedup import _core
from dedup.errors import IndexLocked

__all__ = ["LOCK", "take_lock"]

LOCK: Final = "LOCK"


def take_lock(path: Path, storage: _core.Storage) -> _core.StorageLock:
    """The lock of the index at ``path``.

    Raises
    ------
    IndexLocked
        At once, if a process has it; with that process's id, if the system tells it.
    """
    lock = storage.lock(str(path / LOCK))
    if lock is None:
        holder = _holder(path / LOCK)
        who = "another process" if holder is None else f"process {holder}"
        raise IndexLocked(f"{path}: {who} is writing to this index; wait for it, or stop it")
    return lock


def _holder(file: Path) -> int | None:
    """Which process has the lock, as Linux tells; file systems differ in the device it names."""
    try:
        locks = Path("/proc/locks").read_text()
        inode = file.stat().st_ino
    except OSError:
        return None
    found = set(re.findall(rf"FLOCK +\w+ +WRITE +(\d+) +\w+:\w+:{inode} ", locks))
    return int(found.pop()) if len(found) == 1 else None

"""There is one writer, its lock says who it is, and it goes with its process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dedup._core import Storage
from dedup.errors import IndexLocked
from dedup.lock import take_lock

STORAGE = Storage()


def test_second_lock_is_refused_at_once_with_the_process_that_has_it(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from dedup._core import Storage; from dedup.lock import take_lock\n"
        f"lock = take_lock(pathlib.Path({str(tmp_path)!r}), Storage())\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(IndexLocked, match=rf"process {holder.pid} is writing to this index"):
            take_lock(tmp_path, STORAGE)
        holder.kill()
    take_lock(tmp_path, STORAGE).release()


def test_lock_can_be_taken_again_once_released_or_forgotten(tmp_path: Path) -> None:
    lock = take_lock(tmp_path, STORAGE)
    with pytest.raises(IndexLocked, match=rf"process {os.getpid()} is writing"):
        take_lock(tmp_path, STORAGE)
    lock.release()
    lock = take_lock(tmp_path, STORAGE)
    del lock
    take_lock(tmp_path, STORAGE)


def test_holder_is_not_made_up_where_the_system_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = take_lock(tmp_path, STORAGE)
    monkeypatch.setattr(Path, "read_text", lambda self: "1: FLOCK  ADVISORY  WRITE 7 08:01:1 0 EOF")
    with pytest.raises(IndexLocked, match="another process is writing"):
        take_lock(tmp_path, STORAGE)
    lock.release()

"""Storage makes the calls it is told to, and fails as its hook says."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dedup import _core
from dedup._core import Storage
from dedup.errors import FormatError

Call = tuple[str, str, Any]


class Recorder:
    """A hook that notes each call and fails those that a function chooses."""

    def __init__(self, choose: Callable[[int, Call], int | None] = lambda n, call: None) -> None:
        self.calls: list[Call] = []
        self.choose = choose

    def __call__(self, name: str, path: str, detail: Any) -> int | None:
        self.calls.append((name, path, detail))
        return self.choose(len(self.calls), self.calls[-1])

    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]


def failing(name: str, code: int, times: int = 1 << 30) -> Recorder:
    left = times

    def choose(_: int, call: Call) -> int | None:
        nonlocal left
        if call[0] != name or left == 0:
            return None
        left -= 1
        return code

    return Recorder(choose)


def test_a_written_file_is_synced_before_it_is_closed(tmp_path: Path) -> None:
    hook = Recorder()
    path = str(tmp_path / "f")
    storage = Storage(hook)
    storage.write(path, b"some bytes")
    assert hook.calls == [
        ("open", path, "w"),
        ("write", path, b"some bytes"),
        ("fsync", path, None),
        ("close", path, None),
    ]
    assert storage.read(path, 100) == b"some bytes"


def test_short_writes_go_on_where_they_ended(tmp_path: Path) -> None:
    hook = failing("write", -3)
    Storage(hook).write(str(tmp_path / "f"), b"0123456789")
    assert (tmp_path / "f").read_bytes() == b"0123456789"
    assert [data for name, _, data in hook.calls if name == "write"] == [
        b"0123456789",
        b"3456789",
        b"6789",
        b"9",
    ]


@pytest.mark.parametrize("call", ["open", "write", "fsync", "close"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EMFILE])
def test_a_failed_write_is_told_and_leaves_no_file(tmp_path: Path, call: str, code: int) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match=r"cannot \w+: ") as caught:
        Storage(failing(call, code)).write(str(tmp_path / "f"), b"bytes")
    assert (caught.value.errno, caught.value.filename) == (code, str(tmp_path / "f"))
    assert list(tmp_path.iterdir()) == []
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_an_interrupted_call_is_made_again_but_not_for_ever(tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    hook = failing("write", errno.EINTR, times=5)
    Storage(hook).write(path, b"bytes")
    assert hook.names().count("write") == 6
    hook = failing("write", errno.EINTR)
    with pytest.raises(InterruptedError):
        Storage(hook).write(path, b"bytes")
    assert hook.names().count("write") == 100


def test_a_failed_fsync_is_never_tried_again(tmp_path: Path) -> None:
    for code in (errno.EIO, errno.EINTR):
        hook = failing("fsync", code, times=1)
        with pytest.raises(OSError, match="cannot sync"):
            Storage(hook).write(str(tmp_path / "f"), b"bytes")
        assert hook.names().count("fsync") == 1
        hook = failing("fsync", code, times=1)
        with pytest.raises(OSError, match="cannot sync"):
            Storage(hook).sync_folder(str(tmp_path))
        assert hook.names().count("fsync") == 1


def test_what_a_hook_raises_comes_out(tmp_path: Path) -> None:
    class Crash(BaseException):
        pass

    def crash(name: str, path: str, detail: Any) -> None:
        if name == "fsync":
            raise Crash

    with pytest.raises(Crash):
        Storage(crash).write(str(tmp_path / "f"), b"bytes")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 100_000)
    assert len(Storage().read(str(tmp_path / "f"), 100_000)) == 100_000
    with pytest.raises(OSError, match="too large") as caught:
        Storage().read(str(tmp_path / "f"), 99_999)
    assert caught.value.errno == errno.EFBIG


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    assert Storage().read(str(tmp_path / "f"), 10) == b""
    with pytest.raises(OSError, match="cannot create"):
        Storage().write(str(tmp_path / "f"), b"bytes")
    os.mkfifo(tmp_path / "g")
    with pytest.raises(FormatError, match="too short to be a segment"):
        _core.Segment(str(tmp_path / "g"))


def test_folders_are_made_with_those_above_and_synced(tmp_path: Path) -> None:
    hook = Recorder()
    storage = Storage(hook)
    storage.make_folder(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()
    made = [call for call in hook.calls if call[0] in ("mkdir", "fsync")]
    assert made == [
        ("mkdir", str(tmp_path / "a"), None),
        ("fsync", str(tmp_path), None),
        ("mkdir", str(tmp_path / "a" / "b"), None),
        ("fsync", str(tmp_path / "a"), None),
    ]
    # Who made it may have been killed before it was synced.
    hook.calls.clear()
    storage.make_folder(str(tmp_path / "a" / "b"))
    assert [call for call in hook.calls if call[0] == "fsync"] == [
        ("fsync", str(tmp_path / "a"), None)
    ]
    assert storage.list(str(tmp_path)) == ["a"]
    assert storage.exists(str(tmp_path / "a")) and not storage.exists(str(tmp_path / "a" / "c"))
    with pytest.raises(FileNotFoundError):
        storage.list(str(tmp_path / "none"))


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    Storage().remove(str(tmp_path / "none"))
    with pytest.raises(OSError, match="cannot remove"):
        Storage().remove(str(tmp_path))


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path: Path) -> None:
    path = str(tmp_path / "LOCK")
    lock = Storage().lock(path)
    assert lock is not None
    code = (
        "import os, sys; from dedup._core import Storage\n"
        f"lock = Storage().lock({path!r}); print(lock is not None, flush=True)\n"
        "if lock: os.kill(os.getpid(), 9)"
    )

    def other() -> bytes:
        return subprocess.run([sys.executable, "-c", code], capture_output=True).stdout

    assert other() == b"False\n"
    assert Storage().lock(path) is None
    lock.release()
    assert other() == b"True\n"
    again = Storage().lock(path)
    assert again is not None
    del again
    assert Storage().lock(path) is not None


@pytest.mark.parametrize("call", ["open", "stat", "mmap"])
def test_a_segment_that_cannot_be_opened_says_why(tmp_path: Path, call: str) -> None:
    schemes = [_core.Scheme(), _core.Scheme.code(), _core.Scheme.ast()]
    writer = _core.SegmentWriter(schemes, None)
    writer.add("some words " * 20, "id", "", "", "", "")
    path = str(tmp_path / writer.write(str(tmp_path)).name)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match=r"cannot (open|look at|map): ") as caught:
        _core.Segment(path, None, Storage(failing(call, errno.EMFILE)))
    assert (caught.value.errno, caught.value.filename) == (errno.EMFILE, path)
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert _core.Segment(path).tokens == [40, 0, 0]

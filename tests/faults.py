"""A call that fails loses nothing, leaves nothing behind, and is never told as a success.

``python tests/faults.py`` fails the first, second, third, ... call of the system that is made while
an index is created, written, merged, exported, imported, read and reloaded, until all went through:
once and for good, by an I/O error, a full disk, signals, too many open files, writes cut short, and
an exception from within. Then it lets writers meet the largest size of a file, and a full disk
(if it may mount one). Whoever was refused must say why, the index must be as it was or as it was
to become, and the next commit must succeed.
"""

import errno
import gc
import os
import resource
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from crash import NOTHING, assert_tidy, in_child
from workload import CREATED, KEY, KEYS, Workload, assert_at, assert_holds, play, scratch

from dedup import _core
from dedup.errors import DedupError
from dedup.index import Index

# What becomes of a call, by the name of the fault: an errno, or so many bytes of a write.
FAULTS: Final = ("EIO", "ENOSPC", "EINTR", "EMFILE", "byte", "half", "raise")
_STEPS: Final = 4


class Raised(Exception):
    """What the hook raises: nobody expects it."""


class Fault:
    """Makes the call number `at`, counted from 1 among those it can fail, fail; or all from it on.

    Attributes
    ----------
    hits : int
        Calls that were made to fail.
    failed_syncs, doubts : int
        Of them, calls of fsync, and those for a folder: what the disk holds can't be known then.
    """

    def __init__(self, name: str, at: int, for_good: bool) -> None:
        self.name = name
        self.errno = getattr(errno, name, 0)
        self.hits = self.failed_syncs = self.doubts = 0
        self._at = at
        self._for_good = for_good
        self._calls = 0
        self._healed = False
        self._last = self._path = ""

    def heal(self) -> None:
        self._healed = True

    def hook(self, call: str, path: str, data: Any) -> int:
        if self._healed or not self._may_fail(call, data):
            return 0
        self._calls += 1
        if self._calls < self._at or (self._calls > self._at and not self._for_good):
            return 0
        self.hits += 1
        self.failed_syncs += call == "fsync"
        self.doubts += call == "fsync" and not path.endswith(".writing")
        self._last, self._path = f"{call} {path}", path
        if self.name == "raise":
            raise Raised(self._last)
        if self.errno:
            return self.errno
        return -1 if self.name == "byte" else -max(1, len(data) // 2)

    def _may_fail(self, call: str, data: Any) -> bool:
        if self.name == "EMFILE":
            return call == "open"
        if not self.errno and self.name != "raise":
            return call == "write" and len(data) > 1
        return True

    def judge(self, error: Exception, folder: Path) -> None:
        """Whether an operation may end so. An error of the system is told as it came."""
        assert self.hits, "failed, but not by the fault"
        assert self.errno or self.name == "raise", "a short write is gone on with"
        paths = (str(folder), self._path)
        assert any(path in str(error) for path in paths), f"says not where: {error}"
        if isinstance(error, OSError) and not isinstance(error, DedupError):
            assert error.errno == self.errno, f"errno {error.errno}, expected {self.errno}"

    def __str__(self) -> str:
        return f"{self.name} {'from' if self._for_good else 'at'} call {self._at}: {self._last}"


EXPECTED: Final = (OSError, DedupError, Raised)


class Scenario:
    """All that is done with an index, under a fault; each part ends well or as it may."""

    def __init__(self, root: Path, workload: Workload, fault: Fault, same_writer: bool) -> None:
        self.root, self.workload, self.fault = root, workload, fault
        self.path = root / "index"
        self.storage = _core.Storage(fault.hook)
        self.same_writer = same_writer
        self.done = NOTHING

    def run(self) -> None:
        index = self.create()
        for number in range(_STEPS):
            index = self.make(index, number)
        index.close()
        self.hand_over()
        self.read()
        self.rotate()

    def attempt(self, operation: Callable[[], Any]) -> bool:
        """Whether the operation succeeded; if not, the fault is over.

        What only failed to be merged after it was committed is a success, and a warning.
        """
        syncs = self.fault.failed_syncs
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                operation()
            except EXPECTED as error:
                self.fault.judge(error, self.root)
                self.fault.heal()
                return False
        told = any("is committed, but its segments could not be merged" in str(w) for w in warned)
        assert told or self.fault.failed_syncs == syncs, "a success although a sync failed"
        assert self.fault.hits or not warned, [str(warning) for warning in warned]
        return True

    def create(self) -> Index:
        made: list[Index] = []
        if not self.attempt(
            lambda: made.append(Index.create(self.path, key=KEY, storage=self.storage))
        ):
            # Whether there is an index or not, there is a way on.
            try:
                self.assert_at((CREATED.number,))
                made.append(self.open(writable=True))
            except FileNotFoundError:
                made.append(Index.create(self.path, key=KEY, storage=self.storage))
        self.done = CREATED.number
        self.assert_at((self.done,))
        return made[0]

    def open(self, writable: bool = False) -> Index:
        return Index.open(self.path, key=KEYS, writable=writable, storage=self.storage)

    def make(self, index: Index, number: int) -> Index:
        """Make a step, if not at once, then once the fault is over; the writer that is left."""
        step, hits, doubts = self.workload.step(number), self.fault.hits, self.fault.doubts
        if not self.attempt(lambda: play(index, step)):
            found = self.assert_at((self.done, number))
            if self.same_writer and goes_on(lambda: play(index, step)):
                assert self.fault.doubts == doubts, "goes on though a commit is in doubt"
            else:
                index.close()
                index = self.open(writable=True)
                assert self.assert_at((found,)) == found
                play(index, step)
        self.done = number
        self.assert_at((number,))
        if self.fault.hits == hits:
            assert_tidy(self.path)
        return index

    def assert_at(self, numbers: Iterable[int]) -> int:
        """The index, opened where nothing fails, is at one of the steps and whole."""
        with Index.open(self.path, key=KEYS) as reader:
            reader.verify()
            return assert_at(reader, self.workload, numbers)

    def hand_over(self) -> None:
        """Export what is of one corpus, import it elsewhere."""
        file, other = self.root / "export", self.root / "other"
        holds = self.workload.step(self.done).holds
        corpus = next(document.corpus for document in holds.values() if document.corpus)
        expected = {id: document for id, document in holds.items() if document.corpus == corpus}
        with self.opened() as index:
            if not self.attempt(lambda: index.export(file, corpus=corpus)):
                index.export(file, corpus=corpus)
        assert [path.name for path in self.root.iterdir() if "export" in path.name] == ["export"]
        with Index.create(other, key=KEY) as index:
            index.commit()
        writers: list[Index] = []

        def import_() -> None:
            writers.append(Index.open(other, key=KEY, writable=True, storage=self.storage))
            writers[-1].import_(file)
            writers[-1].commit()

        if not self.attempt(import_):
            for writer in writers:
                writer.close()
            with Index.open(other, key=KEY) as index:
                assert_holds(index, expected if list(index.documents()) else {})
            import_()
        assert_holds(writers[-1], expected)
        writers[-1].close()
        with Index.open(other, key=KEY) as index:
            assert_holds(index, expected)
        assert_tidy(other)

    def opened(self, writable: bool = False) -> Index:
        """Open the index, if not at once, then once the fault is over."""
        opened: list[Index] = []
        if not self.attempt(lambda: opened.append(self.open(writable))):
            opened.append(self.open(writable))
        return opened[0]

    def read(self) -> None:
        """Open, search, reload: who cannot take up what is new answers as before."""
        with self.opened() as reader:
            step = self.workload.step(self.done)
            if not self.attempt(lambda: assert_at(reader, self.workload, (self.done,))):
                assert_holds(reader, step.holds, step.gone)
            with Index.open(self.path, key=KEYS, writable=True) as writer:
                play(writer, self.workload.step(self.done + 1))
            if not self.attempt(reader.reload):
                assert_at(reader, self.workload, (self.done,))
                reader.reload()
            assert_at(reader, self.workload, (self.done + 1,))
            if not self.attempt(reader.verify):
                reader.verify()
        self.done += 1

    def rotate(self) -> None:
        """Bring new documents under another key, then make a step."""
        index, key = self.opened(writable=True), KEYS[1]
        if not self.attempt(lambda: index.rotate(key)):
            self.assert_at((self.done,))
            if not (self.same_writer and goes_on(lambda: index.rotate(key))):
                index.close()
                index = self.open(writable=True)
                index.rotate(key)
        self.assert_at((self.done,))
        assert index.info().key_id == f"{key.id:016x}"
        self.make(index, self.done + 1).close()


def goes_on(operation: Callable[[], Any]) -> bool:
    """Whether a writer does now what it failed to do, rather than refuses."""
    try:
        operation()
    except DedupError:
        return False
    return True


def open_files(root: Path) -> tuple[list[str], list[str]]:
    """What this process has open, and what it has mapped of a folder."""
    gc.collect()
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(link.readlink()))
        except FileNotFoundError:  # the one by which the folder was read
            continue
    maps = Path("/proc/self/maps").read_text().splitlines()
    return sorted(links), [line for line in maps if str(root) in line]


def sweep(name: str, for_good: bool, seed: int, start: int = 1, stride: int = 1) -> tuple[int, int]:
    """Fail call after call by one fault until none is left; runs that met it, calls there are."""
    workload, at, runs = Workload(seed, merge_every=3, rotate_every=1 << 30), start, 0
    while True:
        fault = Fault(name, at, for_good)
        with scratch() as folder:
            root = Path(folder).resolve()
            before = open_files(root)
            try:
                Scenario(root, workload, fault, same_writer=at % 2 == 0).run()
                assert open_files(root) == before, (before, open_files(root))
            except BaseException as error:
                error.add_note(f"fault: {fault}, seed {seed}")
                raise
        if not fault.hits:
            return runs, at - 1
        runs += 1
        at += stride


# ---- disks that are full


def file_size_limits(seed: int, limits: Iterable[int]) -> Counter[str]:
    """Let writers meet the largest size that a file may have; how many were refused, and were not.

    Each runs in a process of its own, as the limit is one of the process. SIGXFSZ is ignored, as
    Python does by itself, so that the write fails rather than the process ends.
    """
    outcomes: Counter[str] = Counter()
    for limit in limits:

        @contextmanager
        def full(limit: int = limit) -> Iterator[None]:
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        def run(pipe: int) -> None:
            with scratch() as folder:
                os.write(pipe, _meet_a_limit(Path(folder), seed, full, errno.EFBIG).encode())

        status, told = in_child(run, lambda child, pipe: None)
        assert status == 0, f"limit {limit}, seed {seed}"
        outcomes[told.decode()] += 1
    return outcomes


def full_disks(seed: int, spaces: Iterable[int]) -> Counter[str]:
    """Let writers meet a disk of 2 MB with so many bytes left; needs the right to mount one.

    Raises
    ------
    PermissionError
        If none can be mounted.
    """
    outcomes: Counter[str] = Counter()
    with scratch() as folder, mounted(Path(folder), "size=2m") as disk:
        for number, space in enumerate(spaces):

            @contextmanager
            def full(space: int = space) -> Iterator[None]:
                ballast = disk / "ballast"
                left = os.statvfs(disk)
                ballast.write_bytes(bytes(max(0, left.f_bavail * left.f_frsize - space)))
                try:
                    yield
                finally:
                    ballast.unlink()

            outcomes[_meet_a_limit(disk / str(number), seed, full, errno.ENOSPC)] += 1
    return outcomes


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory.

    Raises
    ------
    PermissionError
        If this process may not mount one.
    """
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PermissionError(errno.EPERM, "cannot mount a tmpfs", str(folder)) from error
    try:
        yield folder
    finally:
        gc.collect()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _meet_a_limit(root: Path, seed: int, full: Any, expected: int) -> str:
    """Make steps where there is room, one where there is none, and go on where there is again."""
    workload = Workload(seed, merge_every=2)
    path = root / "index"
    outcomes = []
    with Index.create(path, key=KEY) as index:
        for number in range(6):
            outcome = "made"
            if number >= 2:
                with full():
                    try:
                        play(index, workload.step(number))
                    except OSError as error:
                        assert error.errno == expected, error
                        outcome = "refused"
                    with Index.open(path, key=KEYS) as reader:
                        left = (number,) if outcome == "made" else (number - 1, number)
                        assert_at(reader, workload, left)
            outcomes.append(outcome)
            try:
                play(index, workload.step(number))
            except DedupError:
                index.close()
                index = Index.open(path, key=KEYS, writable=True)
                play(index, workload.step(number))
            assert_at(index, workload, (number,))
            index.verify()
    return "refused" if "refused" in outcomes else "made"


if __name__ == "__main__":
    began = time.monotonic()
    runs = 0
    for name in FAULTS:
        for for_good in (False, True):
            met, calls = sweep(name, for_good, seed=1)
            runs += met
            how = "for good" if for_good else "once"
            print(f"{name} {how}: {met} runs, each of {calls} calls", file=sys.stderr)
    limited = file_size_limits(seed=1, limits=range(0, 40_000, 200))
    try:
        disks: Counter[str] | str = full_disks(seed=1, spaces=range(0, 160_000, 4096))
    except PermissionError:
        disks = "no right to mount a small disk"
    print(
        f"{runs} runs with a call that failed: 0 wrong; sizes of files limited: {dict(limited)}; "
        f"disks full: {disks}; {time.monotonic() - began:.0f} s"
    )

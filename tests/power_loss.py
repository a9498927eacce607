"""A loss of power at any time leaves the last step that was acknowledged, or the next one.

``python tests/power_loss.py 30`` records every call by which a writer creates an index, makes 30
steps, and exports, and after each call builds the folders that a loss of power could leave there.
What was synced is there. Of the rest, anything may be: bytes written to a file and not synced are
dropped, kept, or kept in some blocks of 512 bytes; names made, renamed or removed in a folder and
not synced are as they were, as they are, or changed in part, in order or out of it. Each folder is
opened, checked, written to, and checked again. Then it does so with a first writer killed on the
way.
"""

import gc
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from crash import NOTHING, after_a_kill
from workload import CREATED, KEY, KEYS, Workload, assert_holds, play, scratch, step_of

from dedup import _core
from dedup.index import Index

BLOCK_BYTES: Final = 512
# Instead of the number of a step: the export is acknowledged.
EXPORTED: Final = 1 << 30

# Name, path, data.
Call: TypeAlias = tuple[str, str, Any]

# Path of a folder, name in it, bytes.
State: TypeAlias = dict[str, dict[str, bytes]]


@dataclass(slots=True)
class File:
    """Bytes of a file that are durable, and as they were last written."""

    synced: bytes = b""
    written: bytes = b""

    def lost(self, how: str, rng: random.Random) -> bytes:
        """What is left of it: ``dropped``, ``kept`` or ``torn``."""
        if how == "dropped" or self.synced == self.written:
            return self.synced
        if how == "kept":
            return self.written
        longest = max(len(self.synced), len(self.written))
        old, new = self.synced.ljust(longest, b"\0"), self.written.ljust(longest, b"\0")
        blocks = [
            rng.choice((old, new))[at : at + BLOCK_BYTES] for at in range(0, longest, BLOCK_BYTES)
        ]
        size = rng.choice((len(self.synced), len(self.written), rng.randint(0, longest)))
        return b"".join(blocks)[:size]


@dataclass(slots=True)
class Folder:
    """Names in a folder that are durable, and the changes of them that are not, in order.

    A change is names to files, None for a name that is gone; a rename is one change of two names.
    """

    synced: dict[str, File] = field(default_factory=dict)
    changes: list[dict[str, File | None]] = field(default_factory=list)

    def after(self, changes: list[dict[str, File | None]]) -> dict[str, File]:
        names: dict[str, File | None] = {**self.synced}
        for change in changes:
            names.update(change)
        return {name: file for name, file in names.items() if file is not None}

    def lost(self, how: float, rng: random.Random) -> dict[str, File]:
        """The names left with this share of the changes, the first ones; any of them if over 1."""
        if how > 1:
            return self.after([change for change in self.changes if rng.random() < 0.5])
        return self.after(self.changes[: round(how * len(self.changes))])


class Disk:
    """A disk as the calls of a writer leave it, and what of it a loss of power may leave."""

    def __init__(self, root: str) -> None:
        self._folders = {root: Folder()}
        # Folders whose parent is not synced since they were made; lost whole, or kept.
        self._unsynced: set[str] = set()

    def do(self, call: str, path: str, data: Any) -> None:
        parent, _, name = path.rpartition("/")
        if call == "mkdir" and parent in self._folders and path not in self._folders:
            self._folders[path] = Folder()
            self._unsynced.add(path)
        elif call == "fsync" and path in self._folders:
            folder = self._folders[path]
            self._folders[path] = Folder(folder.after(folder.changes))
            self._unsynced = {made for made in self._unsynced if made.rpartition("/")[0] != path}
        elif parent in self._folders:
            self._do_in(self._folders[parent], call, name, data)

    @staticmethod
    def _do_in(folder: Folder, call: str, name: str, data: Any) -> None:
        file = folder.after(folder.changes).get(name)
        if call == "open" and data in ("w", "l"):
            if file is None:
                folder.changes.append({name: File()})
            elif data == "w":
                file.written = b""
        elif file is None:
            assert call not in ("write", "fsync", "rename"), f"{call} of {name}, which is not there"
        elif call == "write":
            file.written += data
        elif call == "fsync":
            file.synced = file.written
        elif call == "rename":
            folder.changes.append({name: None, data.rpartition("/")[2]: file})
        elif call == "unlink":
            folder.changes.append({name: None})

    def states(self, rng: random.Random, draws: int) -> Iterator[State]:
        """Some of what may be left: with all changes up to each, and with `draws` of the others."""
        longest = max(len(folder.changes) for folder in self._folders.values())
        orders = [part / longest for part in range(longest)] + [1.0] + [2.0] * draws
        for lost_folders in {frozenset(self._unsynced), frozenset()}:
            for order in orders:
                for content in ("dropped", "kept", *["torn"] * draws):
                    yield {
                        path: {
                            name: file.lost(content, rng)
                            for name, file in folder.lost(order, rng).items()
                        }
                        for path, folder in self._folders.items()
                        if not any((path + "/").startswith(lost + "/") for lost in lost_folders)
                    }


class Killed(Exception):
    """The writer whose calls are recorded goes no further."""


def recorded(root: Path, workload: Workload, last: int, killed_at: int = 0) -> list[Call]:
    """The calls of a writer that creates an index, makes the steps up to `last`, and exports.

    Where a step is acknowledged, there is a call ``done`` with its number. The first writer may be
    killed at a call, counted from 1; the one after it goes on from what it finds.
    """
    log: list[Call] = []

    def hook(call: str, path: str, data: Any) -> None:
        if len(log) + 1 == killed_at:
            raise Killed
        log.append((call, path, data if isinstance(data, str | None) else bytes(data)))

    def go_on(done: int) -> None:
        storage = _core.Storage(hook)
        if done == NOTHING:
            index = Index.create(root / "index", key=KEY, storage=storage)
            done = CREATED.number
        else:
            index = Index.open(root / "index", key=KEYS, writable=True, storage=storage)
        log.append(("done", "", done))
        for number in range(done + 1, last + 1):
            play(index, workload.step(number))
            log.append(("done", "", number))
        index.export(root / "export", document="clock")
        log.append(("done", "", EXPORTED))
        index.close()

    with suppress(Killed):
        go_on(NOTHING)
        return log
    log.append(("killed", "", None))
    gc.collect()  # its lock goes with it
    go_on(at_step(root / "index"))
    return log


def at_step(path: Path) -> int:
    try:
        with Index.open(path, key=KEYS) as index:
            return step_of(index)
    except FileNotFoundError:
        return NOTHING


def losses(
    last: int,
    seed: int,
    draws: int,
    killed_at: int = 0,
    lost: Callable[[str, str], bool] = lambda call, path: False,
) -> tuple[int, int]:
    """Try the states that a loss of power may leave; calls of the writer, states tried.

    The disk loses the calls for which `lost` is true: a test of this test.
    """
    workload, rng = Workload(seed), random.Random(seed)
    with scratch() as folder:
        root = Path(folder).resolve() / "recorded"
        root.mkdir()
        log = recorded(root, workload, last, killed_at)
        disk, done, exported, tried = Disk(str(root)), NOTHING, False, 0
        seen: set[int] = set()
        for at, (call, path, data) in enumerate(log):
            if call == "done":
                exported = data == EXPORTED
                done = done if exported else data
            elif not lost(call, path):
                disk.do(call, path, data)
            for state in disk.states(rng, draws):
                files = ((path, *sorted(files.items())) for path, files in sorted(state.items()))
                key = hash((done, exported, *files))
                if key in seen:
                    continue
                seen.add(key)
                tried += 1
                try:
                    check(state, str(root), workload, done, last if exported else None)
                except BaseException as error:
                    sizes = {p: {n: len(d) for n, d in f.items()} for p, f in state.items()}
                    error.add_note(f"seed {seed}, call {at} {(call, path)}, left: {sizes}")
                    raise
    return len(log), tried


def check(state: State, root: str, workload: Workload, done: int, exported_at: int | None) -> None:
    """Whether what is left is the index after a step, and, once it is acknowledged, its export."""
    with scratch() as folder:
        copy = Path(folder)
        build(state, root, copy)
        after_a_kill(copy / "index", workload, done)
        file = copy / "export"
        assert file.exists() or exported_at is None, "the exported file is gone"
        if file.exists():
            Index.create(copy / "other", key=KEY).close()
            with Index.open(copy / "other", key=KEYS, writable=True) as other:
                other.import_(file)
                other.commit()
                assert_holds(other, {"clock": workload.step(done).holds["clock"]})


def build(state: State, root: str, copy: Path) -> None:
    for path, files in sorted(state.items()):
        folder = copy / path.removeprefix(root).lstrip("/")
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)


def losses_after_kills(seed: int, draws: int, stride: int = 1) -> tuple[int, int]:
    """A writer is killed at a call, another goes on, then the power is lost; calls, states tried.

    The first is killed at each call of creating the index and making one step.
    """
    tried = 0
    with scratch() as folder:
        calls = len(recorded(Path(folder).resolve(), Workload(seed), last=0))
    for killed_at in range(1, calls, stride):
        try:
            tried += losses(1, seed, draws, killed_at)[1]
        except BaseException as error:
            error.add_note(f"killed at call {killed_at}")
            raise
    return calls, tried


if __name__ == "__main__":
    last = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    began = time.monotonic()
    calls, tried = losses(last, seed=1, draws=8)
    kills, tried_after = losses_after_kills(seed=2, draws=3)
    print(
        f"{tried} states that a loss of power may leave after each of {calls} calls, "
        f"{tried_after} after a kill at one of {kills} calls: 0 wrong, "
        f"{time.monotonic() - began:.0f} s"
    )

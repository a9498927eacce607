"""WorkFolder: what one step leaves for the next, on disk, and which tasks are done.

A run takes several stages, each of many tasks that may be done by other processes or machines: a
task reads arrays that earlier ones wrote and writes its own, under names that no other task uses.
A task that has ended is one line of ``done.jsonl``, so that a run that was cut off goes on with the
tasks that are not in it. Arrays are written under another name and renamed: a file is whole or not
there.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup.engine import Engine, Lost, SerialEngine
from dedup.errors import DedupError

__all__ = ["Arrays", "Result", "Stages", "WorkFolder"]

Task = TypeVar("Task")
Result = dict[str, Any]

# Smaller arrays are quicker read than mapped; empty ones cannot be mapped.
_MAPPED_BYTES: Final = 1 << 16
# The end of the name of what is not whole yet.
_WRITING: Final = ".writing"


class Arrays:
    """Named arrays in a folder that all workers see; a small value that can be pickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, **arrays: NDArray[Any]) -> None:
        """Write arrays, each a file ``NAME.KEY.npy``."""
        for key, array in arrays.items():
            with self._writing(f"{name}.{key}.npy") as path, path.open("wb") as file:
                np.save(file, array, allow_pickle=False)

    def load(self, name: str, key: str) -> NDArray[Any]:
        """An array, mapped if it is long: a slice of it costs no more than the slice."""
        path = self.folder / f"{name}.{key}.npy"
        is_long = path.stat().st_size >= _MAPPED_BYTES
        loaded: NDArray[Any] = np.load(path, mmap_mode="r" if is_long else None)
        return loaded

    def save_bytes(self, name: str, data: Sequence[bytes]) -> None:
        """Write pieces of bytes as one file."""
        with self._writing(name) as path, path.open("wb") as file:
            file.writelines(data)

    def load_bytes(self, name: str) -> NDArray[np.uint8]:
        """The bytes of a file, mapped."""
        path = self.folder / name
        if path.stat().st_size == 0:
            return np.empty(0, np.uint8)
        return np.memmap(path, np.uint8, "r")

    def _writing(self, name: str) -> "_Writing":
        return _Writing(self.folder / name)


class _Writing:
    """A name to write under, which takes its place once all is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # A task that is tried again may run beside its first try.
        self._temporary = path.with_name(f"{path.name}.{os.getpid()}{_WRITING}")

    def __enter__(self) -> Path:
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._temporary.replace(self._path)
        else:
            self._temporary.unlink(missing_ok=True)


class WorkFolder:
    """The folder of a run: its arrays, what it was asked to do, which tasks are done.

    Parameters
    ----------
    path : Path
        Made if it is missing; it can be removed once the run has ended.
    asked : dict
        What decides the outcome: it has to be the same for a run to go on.
    is_resuming : bool
        Whether the folder of a run that did not end is taken up.

    Raises
    ------
    DedupError
        If the folder is of a run and that was not to be, or of one that was asked for something
        else; if it holds other things.
    """

    def __init__(self, path: Path, asked: dict[str, Any], *, is_resuming: bool) -> None:
        self.path = path
        self.arrays = Arrays(path)
        self.done: dict[tuple[str, int], Result] = {}
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        before = self._asked_before()
        if before is not None and not is_resuming:
            raise DedupError(
                f"{path}: a run that did not end left this; go on with --resume, or delete it"
            )
        if before is not None and before != digest:
            raise DedupError(
                f"{path}: is of a run with other sources, files or options; repeat the command as "
                "it was, or delete the folder"
            )
        if before is None:
            path.mkdir(parents=True, exist_ok=True)
            # A run may have ended while it wrote down what it was asked for.
            if any(not entry.name.endswith(_WRITING) for entry in path.iterdir()):
                raise DedupError(f"{path}: expected no such folder, or an empty one")
            self.arrays.save_bytes("asked", [digest.encode()])
        else:
            self._read_done()
        self._record = (path / "done.jsonl").open("a", encoding="utf-8")

    def finish(self, stage: str, number: int, result: Result) -> None:
        """Note that a task is done, and what came of it."""
        self.done[stage, number] = result
        line = json.dumps({"stage": stage, "task": number, "result": result})
        self._record.write(line + "\n")
        self._record.flush()

    def close(self) -> None:
        """Leave the folder for a run that goes on."""
        self._record.close()

    def _asked_before(self) -> str | None:
        try:
            return (self.path / "asked").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _read_done(self) -> None:
        path = self.path / "done.jsonl"
        data = path.read_bytes() if path.exists() else b""
        # The last line may have been cut off with the run.
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            row = json.loads(line)
            self.done[row["stage"], row["task"]] = row["result"]


class Stages:
    """Runs the stages of a run, of each those tasks that are not done yet."""

    def __init__(self, work: WorkFolder, engine: Engine, tell: Callable[[str], object]) -> None:
        self.work = work
        self.arrays = work.arrays
        self._engine = engine
        self._tell = tell

    def run(
        self, stage: str, make: Callable[[], Callable[[Task], Result]], tasks: Sequence[Task]
    ) -> list[Result]:
        """The result of each task, in their order.

        Raises
        ------
        DedupError
            If a task ended its worker.
        """
        found: list[Result] = []
        for result in self.each(stage, make, tasks, len(tasks)):
            if isinstance(result, Lost):
                raise DedupError(
                    f"stage {stage}, task {len(found)}: {result.reason}; free memory or use fewer "
                    "jobs, and go on with --resume"
                )
            found.append(result)
        return found

    def each(
        self,
        stage: str,
        make: Callable[[], Callable[[Task], Result]],
        tasks: Iterable[Task],
        total: int = 0,
    ) -> Iterator[Result | Lost[Task]]:
        """The same as they come, lazily, with what was lost in its place."""
        taken: deque[int] = deque()

        def open_tasks() -> Iterator[Task]:
            for number, task in enumerate(tasks):
                taken.append(number)
                if (stage, number) not in self.work.done:
                    yield task

        def done_before() -> Iterator[Result]:
            while taken and (stage, taken[0]) in self.work.done:
                yield self.work.done[stage, taken.popleft()]

        open = open_tasks()
        first = list(islice(open, 2))
        # To start workers takes longer than the only task of a small corpus.
        engine = self._engine if len(first) > 1 else SerialEngine()
        fresh = engine.run(make, chain(first, open)) if first else iter(())
        for result in fresh:
            yield from done_before()
            number = taken.popleft()
            self._tell(f"{stage} {number + 1:,}" + (f" of {total:,}" if total else ""))
            if not isinstance(result, Lost):
                self.work.finish(stage, number, result)
            yield result
        yield from done_before()

"""A writer killed at any time loses nothing that it acknowledged, and blocks nobody after it.

``python tests/crash.py 2000`` kills 2,000 writers at random times (SIGKILL), some while they create
the index, the others while they add, remove, commit or merge; then one at every call that a writer
makes of the system. After each the index is opened: it must be at the last step that was
acknowledged or at the one that was being made, answer so, let a new writer go on, and verify.
"""

import itertools
import os
import random
import select
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from workload import CREATED, KEY, KEYS, Workload, assert_at, play, scratch, step_of

from dedup import _core
from dedup.index import Index

# Number of the state before there is an index.
NOTHING: Final = CREATED.number - 1

# What a writer tells its parent: what it begins or has done, and the number of the step.
_MESSAGE: Final = struct.Struct("<ci")
_DONE: Final = b"d"
_BEGINS: Final = {b"n": "create", b"o": "open", b"c": "commit", b"m": "merge"}


def write(
    path: Path,
    workload: Workload,
    done: int,
    pipe: int,
    last: int | None = None,
    storage: _core.Storage | None = None,
) -> None:
    """Go on from step `done`, up to `last` if given, and tell of every step."""

    def tell(what: bytes, number: int) -> None:
        os.write(pipe, _MESSAGE.pack(what, number))

    if done == NOTHING:
        tell(b"n", CREATED.number)
        index = Index.create(path, key=KEY, storage=storage)
        done = CREATED.number
    else:
        tell(b"o", done)
        index = Index.open(path, key=KEYS, writable=True, storage=storage)
    tell(_DONE, done)
    with index:
        for step in workload.steps(done + 1):
            if last is not None and step.number > last:
                return
            tell(step.ends[:1].encode(), step.number)
            play(index, step)
            tell(_DONE, step.number)


def in_child(run: Callable[[int], None], wait: Callable[[int, int], None]) -> tuple[int, bytes]:
    """Run in a forked process that writes to a pipe; its status and what it wrote.

    `wait` is given the process and the pipe once the process runs, and may kill it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            run(writing)
            status = 0
        except BaseException as error:
            print(f"writer: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(status)
    os.close(writing)
    try:
        wait(child, reading)
    finally:
        told = b""
        while data := os.read(reading, 1 << 16):
            told += data
        os.close(reading)
        _, status = os.waitpid(child, 0)
    return status, told


def after_a_kill(path: Path, workload: Workload, done: int) -> int:
    """Check the index, go on with it for two steps, check again; the number of the last step.

    `done` is the last step that was acknowledged.
    """
    try:
        with Index.open(path, key=KEYS) as reader:
            found = assert_at(reader, workload, (done, done + 1))
            reader.verify()
    except FileNotFoundError:
        assert done == NOTHING, "the index is gone"
        found = NOTHING
    if found == NOTHING:
        index = Index.create(path, key=KEY)
        found = CREATED.number
    else:
        index = Index.open(path, key=KEYS, writable=True)
    with index:
        for number in (found + 1, found + 2):
            play(index, workload.step(number))
            assert_at(index, workload, (number,))
        index.verify()
    assert_tidy(path)
    return found + 2


def assert_tidy(path: Path) -> None:
    """There are no files in the folder of an index but those of its last commit."""
    names = sorted(file.name for file in path.iterdir())
    with Index.open(path, key=KEYS) as index:
        segments = [name for name in names if name.startswith("segment-")]
        assert names == ["LOCK", "MANIFEST", *segments]
        assert len(segments) == index.info().segments


def kills(count: int, seed: int) -> Counter[str]:
    """Kill `count` writers at random times; how many were doing what. Raises on a wrong state."""
    rng = random.Random(seed)
    hit: Counter[str] = Counter()
    with scratch() as folder:
        path, workload, done = Path(folder), Workload(seed), NOTHING
        for number in range(count):
            if number % 8 == 0 or done > 60:
                path = Path(folder) / str(number)
                workload, done = Workload(rng.randrange(1 << 30)), NOTHING
            # Half of the first of an index die within its creation and first commit.
            most_s = 0.004 if done == NOTHING and rng.random() < 0.5 else 0.06
            delay_s = rng.uniform(0, most_s)

            def kill(child: int, pipe: int, delay_s: float = delay_s) -> None:
                select.select([pipe], [], [])
                time.sleep(delay_s)
                os.kill(child, signal.SIGKILL)

            run = partial(write, path, workload, done)
            status, told = in_child(run, kill)
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
            told = told[: len(told) // _MESSAGE.size * _MESSAGE.size]
            messages = list(_MESSAGE.iter_unpack(told))
            acknowledged = [step for what, step in messages if what == _DONE]
            if acknowledged:
                done = acknowledged[-1]
            doing = messages[-1][0]
            hit["between" if doing == _DONE else _BEGINS[doing]] += 1
            try:
                done = after_a_kill(path, workload, done)
            except BaseException as error:
                error.add_note(f"kill {number}, seed {seed}, workload {workload.seed}, {path}")
                raise
    return hit


def hand_over(path: Path, other: Path, storage: _core.Storage) -> None:
    """Export the clock of one index and import it into another."""
    file = path.with_name("export")
    with Index.open(path, key=KEYS, storage=storage) as index:
        index.export(file, document="clock")
    with Index.open(other, key=KEYS, writable=True, storage=storage) as index:
        index.import_(file)
        index.commit()


def write_up_to_call(
    at: int, workload: Workload, last: int, path: Path, other: Path, pipe: int
) -> None:
    """Do all that a writer does, and die at a call."""
    calls = itertools.count(1)

    def hook(call: str, name: str, data: object) -> None:
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    storage = _core.Storage(hook)
    write(path, workload, NOTHING, pipe, last, storage)
    hand_over(path, other, storage)


def kills_at_every_call(seed: int, last: int = 8) -> int:
    """Kill a writer before each of its calls of the system in turn; how many those are.

    The writer creates the index, makes the steps up to `last`, exports the clock and imports it
    into another index.
    """
    workload = Workload(seed)
    for at in itertools.count(1):
        with scratch() as folder:
            path, other = Path(folder) / "index", Path(folder) / "other"
            Index.create(other, key=KEY).close()
            run = partial(write_up_to_call, at, workload, last, path, other)
            status, told = in_child(run, lambda child, pipe: None)
            if status == 0:
                return at - 1
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
            acknowledged = [step for what, step in _MESSAGE.iter_unpack(told) if what == _DONE]
            try:
                with Index.open(other, key=KEYS) as index:
                    given = [document.id for document in index.documents()]
                    assert given in ([], ["clock"])
                    assert not given or step_of(index) == last
                after_a_kill(path, workload, max(acknowledged, default=NOTHING))
                hand_over(path, other, _core.Storage())
                with Index.open(other, key=KEYS) as index, Index.open(path, key=KEYS) as origin:
                    assert step_of(index) == step_of(origin)
                assert_tidy(other)
            except BaseException as error:
                error.add_note(f"killed at call {at}, seed {seed}")
                raise
    raise AssertionError


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    began = time.monotonic()
    hit = kills(count, seed=1)
    told = ", ".join(f"{number} in {what}" for what, number in hit.most_common())
    calls = kills_at_every_call(seed=1, last=20)
    print(
        f"{count} writers killed ({told}) and {calls} at every call, 0 wrong, "
        f"{time.monotonic() - began:.0f} s"
    )

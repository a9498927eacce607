"""Readers beside a writer answer as one commit left the index, never as a mix of two.

``python tests/readers.py 1000 4`` lets 4 processes reload and search as fast as they can while a
writer makes 1,000 commits, which add, replace and remove documents and merge segments away under
the readers. The clock in each answer tells which commit it is of; everything else in the answer
must be of that commit too.
"""

import json
import os
import random
import select
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from workload import (
    CLOCK,
    CREATED,
    KEY,
    KEYS,
    Workload,
    assert_at,
    fields_of,
    passage,
    play,
    scratch,
    source_of,
)

from dedup.index import Index

# Of so many steps one is a merge: it takes every segment away under the readers.
_MERGE_EVERY: Final = 6
_ROTATE_EVERY: Final = 30


@dataclass
class Report:
    """What a reader saw.

    Attributes
    ----------
    answers : int
        That were compared; each of a search.
    generations : dict
        Generation to the step that it turned out to be.
    errors : list of str
        Exceptions and answers that are wrong; the first ends the reader.
    """

    answers: int = 0
    generations: dict[int, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def step_in_answer(searching: Any, workload: Workload, near: int, rng: random.Random) -> int:
    """Search once for passages of what is there at a step, was before or will be after.

    Everything found must be of the step that the clock in the answer tells, and all of it.
    """
    documents = [*workload.step(near).holds.values(), *workload.step(near + 1).holds.values()]
    texts = list({document.text for document in documents} | set(workload.step(near).gone))
    asked = [text for text in rng.sample(texts, min(len(texts), 8)) if text != CLOCK]
    matches = searching.search(" ".join([CLOCK, *map(passage, asked)]))
    clocks = {match.url for match in matches if match.document == "clock"}
    assert len(clocks) <= 1, f"two clocks in one answer: {clocks}"
    number = int(clocks.pop()) if clocks else CREATED.number
    holds = workload.step(number).holds.values()
    expected = {fields_of(d) for d in holds if d.text in asked or d.id == "clock"}
    found = {source_of(match) for match in matches}
    assert found == expected, f"step {number}: found {found}, expected {expected}"
    return number


def read(path: Path, workload: Workload, until: int, stop: int, seed: int) -> Report:
    """Reload and search until told to stop; what is there at last must be step `until`."""
    rng, report, last = random.Random(seed), Report(), CREATED.number
    try:
        with Index.open(path, key=KEYS) as index:
            stopped = False
            while not stopped:
                stopped = bool(select.select([stop], [], [], 0)[0])
                index.reload()
                generation = index.generation
                for _ in range(3):
                    number = step_in_answer(index, workload, last, rng)
                    assert index.generation == generation, "changed without a reload"
                    assert report.generations.setdefault(generation, number) == number
                    report.answers += 1
                assert number >= last, f"went back from step {last} to {number}"
                last = number
            assert_at(index, workload, (until,))
    except Exception as error:
        report.errors.append(f"{type(error).__name__}: {error}")
    return report


def write(path: Path, workload: Workload, commits: int) -> list[int]:
    """Make so many commits; the generation after each."""
    with Index.open(path, key=KEYS, writable=True) as index:
        return [play(index, workload.step(number)) for number in range(commits)]


def readers_against(commits: int, readers: int, seed: int) -> tuple[int, int]:
    """Readers in processes of their own beside one writer; answers compared, generations seen."""
    workload = Workload(seed, _MERGE_EVERY, _ROTATE_EVERY)
    with scratch() as folder:
        path = Path(folder) / "index"
        Index.create(path, key=KEY).close()
        stop, stopping = os.pipe()
        pipes = []
        for number in range(readers):
            reading, writing = os.pipe()
            if (child := os.fork()) == 0:
                try:
                    os.close(stopping)
                    report = read(path, workload, commits - 1, stop, number)
                    with os.fdopen(writing, "w") as file:
                        json.dump(asdict(report), file)
                finally:
                    os._exit(0)
            os.close(writing)
            pipes.append((child, reading))
        try:
            generations = write(path, workload, commits)
        finally:
            os.close(stopping)
            reports = []
            for child, reading in pipes:
                with os.fdopen(reading) as file:
                    reports.append(file.read())
                os.waitpid(child, 0)
            os.close(stop)
    answers, seen = 0, set()
    for told in reports:
        report = Report(**json.loads(told))
        assert report.errors == [], report.errors
        for text, number in report.generations.items():
            generation = int(text)
            before = generations[number - 1] if number > 0 else 0
            rotated = workload.step(number + 1).rotates_to is not None
            most = (generations[number] if number >= 0 else 0) + rotated
            assert before <= generation <= most, (generation, number)
            seen.add(generation)
        answers += report.answers
    return answers, len(seen)


def threads_against(commits: int, threads: int, seed: int) -> int:
    """Threads that search one reader which another thread reloads; answers compared."""
    workload = Workload(seed, _MERGE_EVERY, _ROTATE_EVERY)
    workload.step(commits)  # made at once, as several threads read it
    report = Report()
    with scratch() as folder:
        path = Path(folder) / "index"
        Index.create(path, key=KEY).close()
        if (child := os.fork()) == 0:
            try:
                write(path, workload, commits)
            finally:
                os._exit(0)
        with Index.open(path, key=KEYS) as index:
            done = threading.Event()

            def reload() -> None:
                while not done.is_set():
                    index.reload()

            def search(number: int) -> None:
                rng, last = random.Random(number), CREATED.number
                while not done.is_set():
                    snapshot = index.snapshot
                    at = step_in_answer(snapshot, workload, min(last, commits - 1), rng)
                    assert at == step_in_answer(snapshot, workload, at, rng)
                    last = step_in_answer(index, workload, at, rng)
                    assert last >= at
                    report.answers += 3

            def guarded(run: Any, *values: Any) -> None:
                try:
                    run(*values)
                except Exception as error:
                    report.errors.append(f"{type(error).__name__}: {error}")

            running = [threading.Thread(target=guarded, args=(reload,))]
            running += [
                threading.Thread(target=guarded, args=(search, number)) for number in range(threads)
            ]
            for thread in running:
                thread.start()
            os.waitpid(child, 0)
            done.set()
            for thread in running:
                thread.join()
            assert report.errors == [], report.errors
            index.reload()
            assert_at(index, workload, (commits - 1,))
    return report.answers


if __name__ == "__main__":
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    readers = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    began = time.monotonic()
    answers, seen = readers_against(commits, readers, seed=1)
    threaded = threads_against(commits, readers, seed=2)
    print(
        f"{commits} commits beside {readers} readers: {answers} answers of {seen} generations, "
        f"0 mixed, 0 errors; beside {readers} threads of one: {threaded} answers, 0 mixed, "
        f"0 errors; {time.monotonic() - began:.0f} s"
    )

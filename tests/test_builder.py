"""What workers built is adopted in order, committed once, and is what one process makes."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import Run
from hypothesis import given
from hypothesis import strategies as st
from test_index import KEY, book_documents, files, paragraphs
from workload import HookedEngine, Reads, assert_holds, scratch, words

from dedup import _core
from dedup.builder import Built
from dedup.document import Document, SourceNote, SourceProblem
from dedup.engine import LocalEngine, SerialEngine
from dedup.errors import DedupError
from dedup.index import Index

CODE = (Path(__file__).parent / "data" / "syntax" / "heap.py").read_text()
TEXTS = tuple(words(random.Random(f"text {i}"), 40) for i in range(4))


def cut(documents: Iterable[Document], size: int) -> list[Reads]:
    listed = list(documents)
    return [Reads(tuple(listed[at : at + size])) for at in range(0, len(listed), size)]


def corpus() -> list[Document]:
    code = [Document(f"c{i}.py", CODE.replace("heap", f"heap{i}"), "code", "MIT") for i in range(9)]
    return [*book_documents(), *code, *paragraphs(60)]


def added_at_once(path: Path, documents: Iterable[Document]) -> dict[str, bytes]:
    with Index.create(path, key=KEY) as index:
        index.add(documents)
        index.commit()
    return {**files(path), "MANIFEST": (path / "MANIFEST").read_bytes()}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_workers_leave_the_bytes_that_one_process_leaves(tmp_path: Path, size: int) -> None:
    expected = added_at_once(tmp_path / "once", corpus())
    path = tmp_path / "i"
    told: list[Built] = []
    with Index.create(path, key=KEY) as index:
        added = index.add_tasks(cut(corpus(), size), LocalEngine(2), tell=told.append)
        index.commit()
    assert added == len(corpus()) == sum(built.documents for built in told)
    assert sum(built.parses["parsed"] for built in told if built.parses) == 9
    assert {**files(path), "MANIFEST": (path / "MANIFEST").read_bytes()} == expected


def test_little_memory_and_many_tasks_change_nothing_after_a_merge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.writer._MAX_UNMERGED", 4)
    expected = added_at_once(tmp_path / "once", corpus())
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add_tasks(cut(corpus(), 5), SerialEngine(), memory_bytes=1)
        assert len(files(tmp_path / "i")) == 1  # what was merged is not kept
        index.commit()
    assert files(tmp_path / "i").items() <= expected.items()


documents = st.builds(
    Document, st.sampled_from("abcd"), st.sampled_from(TEXTS), st.sampled_from(["", "books"])
)
lists = st.lists(st.lists(documents, max_size=3), max_size=5)


@given(there=st.lists(documents, max_size=4), removed=st.sets(st.sampled_from("abcd")), tasks=lists)
def test_ids_that_come_again_leave_what_one_process_leaves(
    there: list[Document], removed: set[str], tasks: list[list[Document]]
) -> None:
    """In the index, removed and not committed yet, earlier in the add, in the same task."""
    with scratch() as folder:
        built, once = Path(folder) / "built", Path(folder) / "once"
        counts = []
        for path in (built, once):
            with Index.create(path, key=KEY) as index:
                index.add(there)
                index.commit()
                index.remove(document=removed)
                if path is built:
                    reads = [Reads(tuple(task)) for task in tasks]
                    counts.append(index.add_tasks(reads, SerialEngine()))
                else:
                    counts.append(index.add(document for task in tasks for document in task))
                holds = {d.id: d for d in there if d.id not in removed}
                holds.update((d.id, d) for task in tasks for d in task)
                index.merge()
                listed = {(d.id, d.corpus) for d in index.documents()}
                assert listed == {(d.id, d.corpus) for d in holds.values()}
                assert all(index.holds(d.id, d.text) for d in holds.values())
        assert files(built) == files(once)
        assert counts[0] == counts[1]


def test_unchanged_documents_are_left_alone(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add(corpus())
        index.commit()
        before = files(tmp_path / "i")
        told: list[Built] = []
        assert index.add_tasks(cut(corpus(), 5), LocalEngine(2), tell=told.append) == 0
        assert index.commit() == 1
        assert files(tmp_path / "i") == before
    assert not any(built.parses for built in told)


def test_the_same_task_twice_adds_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its segments have the same name, and the first may be merged away before the second comes."""
    monkeypatch.setattr("dedup.writer._MAX_UNMERGED", 2)
    tasks = cut(paragraphs(12), 3)
    with Index.create(tmp_path / "i", key=KEY) as index:
        assert index.add_tasks([*tasks, *tasks, *tasks[:1]], LocalEngine(2)) == 12
        index.commit()
        assert index.info().documents == 12
    assert files(tmp_path / "i").items() <= added_at_once(tmp_path / "o", paragraphs(12)).items()


@dataclass(frozen=True)
class Kills:
    """A task that ends whoever reads it."""

    source: str = "hostile.jsonl"

    def read(self) -> Iterator[Document]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield Document("", "")


@dataclass(frozen=True)
class Mixed:
    """A task that meets a problem and leaves something out."""

    source: str = "mixed"

    def read(self) -> Iterator[Any]:
        yield SourceNote("mixed", {"binary file": 2})
        yield Document("a", "text é", licence="MIT")
        yield SourceProblem("mixed/b", "byte 3", "is not UTF-8")


def test_what_could_not_be_read_is_told_task_by_task(tmp_path: Path) -> None:
    told: list[Built] = []
    with Index.create(tmp_path / "i", key=KEY) as index:
        tasks: list[Any] = [*cut(paragraphs(4), 2), Kills(), Mixed()]
        assert index.add_tasks(tasks, LocalEngine(2), tell=told.append) == 5
        index.commit()
        assert index.info().documents == 5
    assert [built.documents for built in told] == [2, 2, 0, 1]
    assert "two workers ended over it" in str(told[2].problems[0])
    assert str(told[2].problems[0]).startswith("hostile.jsonl: ")
    assert told[3].bytes == 7 and told[3].licences == {"MIT": 1}
    assert told[3].notes == (SourceNote("mixed", {"binary file": 2}),)
    assert str(told[3].problems[0]) == "mixed/b: byte 3: is not UTF-8"


def test_a_bad_document_ends_the_add_and_nothing_is_committed(tmp_path: Path) -> None:
    tasks = [*cut(paragraphs(6), 2), Reads((Document("bad", "lone \ud800"),))]
    with Index.create(tmp_path / "i", key=KEY) as index:
        with pytest.raises(ValueError, match="document 'bad': lone surrogate at character 5"):
            index.add_tasks(tasks, LocalEngine(2))
        assert index.generation == 0
    with Index.open(tmp_path / "i", key=KEY, writable=True) as index:
        assert list(index.documents()) == []
        index.add(paragraphs(1))
        index.commit()
    assert len(files(tmp_path / "i")) == 1


def test_what_workers_left_of_an_add_cut_short_goes_with_the_next_commit(tmp_path: Path) -> None:
    path = tmp_path / "i"
    Index.create(path, key=KEY).close()
    (path / ".segment-0123456789abcdef.writing").write_text("cut sho")
    (path / "segment-0123456789abcdef.dedup").write_text("whole")
    with Index.open(path, key=KEY, writable=True) as index:
        index.add_tasks(cut(paragraphs(6), 2), LocalEngine(2))
        index.commit()
        assert index.info().documents == 6
    assert sorted(f.name for f in path.iterdir()) == ["LOCK", "MANIFEST", *sorted(files(path))]


def test_the_command_says_the_same_whatever_the_number_of_jobs(tmp_path: Path, run: Run) -> None:
    """Of sources with a file of another encoding, with an image, without a text, given twice."""
    for name in ("prose", "code", "blank"):
        (tmp_path / name).mkdir()
    (tmp_path / "blank" / "none.txt").write_text(" \n")
    (tmp_path / "blank" / "image.png").write_bytes(b"\x89PNG\0\1\2")
    (tmp_path / "prose" / "latin.txt").write_bytes("naïve".encode("latin-1") * 20)
    (tmp_path / "prose" / "image.png").write_bytes(b"\x89PNG\0\1\2")
    (tmp_path / "prose" / "book.txt").write_text(book_documents()[0].text)
    (tmp_path / "code" / "heap.py").write_text(CODE)
    (tmp_path / "code" / "empty.py").write_text("")
    sources = ("prose", "blank", "code", "prose")
    told = [run("index", "add", f"i{n}", *sources, "--no-key", "--jobs", n) for n in (1, 2)]
    assert [ran.status for ran in told] == [2, 2]
    assert told[0].err == told[1].err and "holds no text" in told[0].err
    assert "prose: left out 2 binary files\n" in told[0].err
    one, two = (re.sub(r"at [\d.]+ MB/s.*|\bi\d", "", ran.out) for ran in told)
    assert one == two
    assert files(tmp_path / "i1") == files(tmp_path / "i2")


@pytest.mark.parametrize("seed", range(3))
def test_an_add_that_is_killed_is_made_good_by_the_next(tmp_path: Path, seed: int) -> None:
    """The process and not its workers, which end by themselves; then it is run to its end."""
    sources = tmp_path / "corpus"
    for n in range(40):
        (sources / f"{n % 4}").mkdir(parents=True, exist_ok=True)
        heaps = "\n".join(CODE.replace("heap", f"heap{n}x{i}") for i in range(150))
        (sources / f"{n % 4}" / f"{n}.py").write_text(heaps)
    path = tmp_path / "i"
    add = [sys.executable, "-m", "dedup", "index", "add", str(path), str(sources), "--no-key"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen([*add, "--jobs", "2"], env=environment)
    until = time.monotonic() + 60
    while not any(path.glob("segment-*")) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(seed * 0.3)
    process.kill()
    process.wait()
    with Index.open(path, key=None) as index:
        assert index.info().documents in (0, 40)
        index.verify()
    assert subprocess.run([*add, "--jobs", "2"], env=environment).returncode == 0
    with Index.open(path, key=None) as index:
        assert index.info().documents == 40
        index.verify()
    assert sorted(f.name for f in path.iterdir()) == ["LOCK", "MANIFEST", *sorted(files(path))]


def test_workers_write_under_names_of_their_own(tmp_path: Path) -> None:
    names = set()

    def hook(call: str, path: str, data: object) -> None:
        if call == "open" and data == "w":
            names.add(Path(path).name)

    with Index.create(tmp_path / "i", key=KEY) as index:
        for _ in range(2):
            index.add_tasks(cut(paragraphs(4), 2), HookedEngine(_core.Storage(hook)))
    assert len(names) == 2 and ".segment.writing" not in names


def test_a_worker_that_sees_another_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "i"
    with Index.create(tmp_path / "o", key=KEY) as index:
        index.add(paragraphs(1))
        index.commit()
        index.remove(document="p0")
        assert index.commit() == 2
        other = (tmp_path / "o" / "MANIFEST").read_bytes()

    class Elsewhere:
        def run(self, make: Any, tasks: Any) -> Iterator[Any]:
            (path / "MANIFEST").write_bytes(other)
            yield from SerialEngine().run(make, tasks)

    with (
        Index.create(path, key=KEY) as index,
        pytest.raises(DedupError, match="sees another state of the index than its writer"),
    ):
        index.add_tasks(cut(paragraphs(4), 2), Elsewhere())


def test_segments_that_cannot_be_seen_are_told(tmp_path: Path) -> None:
    class Away:
        def run(self, make: Any, tasks: Any) -> Iterator[Any]:
            for built in SerialEngine().run(make, tasks):
                for entry in built.segments:
                    (tmp_path / "i" / entry.name).unlink()
                yield built

    with (
        Index.create(tmp_path / "i", key=KEY) as index,
        pytest.raises(DedupError, match="in a folder that all machines share"),
    ):
        index.add_tasks(cut(paragraphs(4), 2), Away())


def test_documents_found_by_what_workers_built(tmp_path: Path) -> None:
    made = [Document(f"d{i}", words(random.Random(i), 40)) for i in range(30)]
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add_tasks(cut(made, 4), LocalEngine(2))
        index.commit()
        assert_holds(index, {document.id: document for document in made})

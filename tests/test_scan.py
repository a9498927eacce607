"""A scan: the same outputs however many work on it, whatever ends it, and nothing left unsaid."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from scan_kills import kills

from dedup import DedupError, Document, Index, Policy, scan
from dedup.baseline import Baseline, Census
from dedup.batch import Batch, tasks_of
from dedup.engine import LocalEngine, Lost, SerialEngine
from dedup.partition import Partition, partitions
from dedup.scan import ScanProgress
from dedup.scanning.checkpoint import Checkpoint
from dedup.scanning.outputs import Outputs
from dedup.scanning.work import Protected

DATA = Path(__file__).parent / "data"
BOOK = (DATA / "books/war-of-the-worlds.txt").read_text()
CODE = (DATA / "code/timetable/slots.py").read_text()
PROSE = (DATA / "outputs/speech.txt").read_text()
COPY = (DATA / "outputs/speech-with-copy.txt").read_text()


@dataclass(frozen=True)
class Place:
    """An index, and sources that copy from it."""

    folder: Path
    sources: list[str]

    def scan(self, output: str = "rows.jsonl", **options: Any) -> Any:
        options = {"key": None, "engine": SerialEngine(), **options}
        return scan(self.sources, self.folder / "index", self.folder / output, **options)

    def read(self, name: str = "rows.jsonl") -> bytes:
        return (self.folder / name).read_bytes()

    def rows(self, name: str = "rows.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read(name).splitlines()]

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {"index", "sources"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    with Index.create(tmp_path / "index", key=None) as index:
        documents = [Document("book", BOOK, corpus="books", licence="PD", owner="Wells")]
        index.add([*documents, Document("slots.py", CODE, licence="GPL-3.0-or-later")])
        index.commit()
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "a.txt").write_text(PROSE)
    (sources / "b.txt").write_text(COPY)
    (sources / "c.py").write_text(CODE)
    (sources / "d.txt").write_bytes(b"\xff\xfe\x00\x00broken")
    (sources / "e.jsonl").write_text(
        "".join(json.dumps({"id": f"row {n}", "text": PROSE[n:]}) + "\n" for n in range(300))
    )
    (sources / "f.txt").write_text(BOOK[5000:5300])
    return Place(tmp_path, [*map(str, sorted(sources.iterdir())), str(sources / "missing")])


# ---- what is written


def test_every_document_and_every_problem_has_a_row(place: Place) -> None:
    problems: list[str] = []
    summary = place.scan(problem=problems.append)
    rows = place.rows()
    names = ["a.txt", "b.txt", "c.py", "d.txt", *(f"row {n}" for n in range(300)), "f.txt"]
    assert [Path(row["document"]).name for row in rows] == [*names, "missing"]
    actions = {Path(row["document"]).name: row["action"] for row in rows}
    assert [actions[name] for name in names[:4]] == ["allow", "block", "block", None]
    assert [actions[name] for name in ("row 7", "f.txt", "missing")] == ["allow", "block", None]
    tally = summary.tally
    assert (tally.documents, tally.problems, summary.is_complete) == (304, 2, False)
    assert problems == [row["error"] for row in rows if row["action"] is None]
    assert tally.bytes == sum(row["bytes"] for row in rows)
    assert tally.actions == {"allow": 301, "block": 3}
    assert tally.corpora["books"] == 2
    assert tally.licences["PD"] == 2
    assert tally.matches == sum(len(row["matches"]) for row in rows)
    assert place.names == {"rows.jsonl"}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst", "rows.parquet"])
def test_outputs_do_not_hang_on_the_number_of_workers(place: Place, name: str) -> None:
    if not name.endswith(("jsonl", "gz")):
        pytest.importorskip("zstandard" if name.endswith("zst") else "pyarrow")
    options: dict[str, Any] = {
        "drop_list": place.folder / "drop",
        "cleaned": place.folder / "clean",
    }
    place.scan(name, **options)
    serial = [place.read(one) for one in (name, "drop", "clean")]
    for jobs in (1, 3):
        place.scan(name, engine=LocalEngine(jobs), **options)
        assert [place.read(one) for one in (name, "drop", "clean")] == serial
    assert place.names == {name, "drop", "clean"}


def test_packed_outputs_and_parquet_hold_the_same_rows(place: Place) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    zstandard = pytest.importorskip("zstandard")
    for name in ("rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst", "rows.parquet"):
        place.scan(name)
    plain = place.read()
    assert gzip.decompress(place.read("rows.jsonl.gz")) == plain
    packed = zstandard.ZstdDecompressor().stream_reader(place.read("rows.jsonl.zst"))
    assert packed.read() == plain
    assert pq.read_table(place.folder / "rows.parquet").to_pylist() == place.rows()


def test_shards_are_disjoint_and_together_all(place: Place) -> None:
    place.scan()
    whole = place.read().splitlines()
    parts: list[bytes] = []
    for number in (1, 2, 3):
        place.scan(f"{number}.jsonl", shard=(number, 3))
        parts += place.read(f"{number}.jsonl").splitlines()
    assert sorted(parts) == sorted(whole)
    with pytest.raises(ValueError, match="got 4/3"):
        place.scan(shard=(4, 3))


def test_matches_only_leaves_out_rows_and_no_problem(place: Place) -> None:
    place.scan("all.jsonl")
    summary = place.scan(matches_only=True)
    kept = [row for row in place.rows("all.jsonl") if row["matches"] or row["error"]]
    assert place.rows() == kept
    assert summary.tally.documents == 304


def test_rows_to_a_stream_are_those_of_a_file(place: Place, tmp_path: Path) -> None:
    place.scan()
    with (tmp_path / "stream").open("wb") as stream:
        summary = scan(
            place.sources, place.folder / "index", stream, key=None, engine=LocalEngine(2)
        )
    assert (tmp_path / "stream").read_bytes() == place.read()
    assert summary.tally.documents == 304
    with (tmp_path / "x").open("wb") as stream, pytest.raises(ValueError, match="give a path"):
        scan(place.sources, place.folder / "index", stream, key=None, drop_list=tmp_path / "d")


def test_the_drop_list_has_the_ids_of_what_is_suppressed(place: Place) -> None:
    odd = ['"quoted"', "two\nlines", " spaces ", "schön", "\u2028", "\x1b[1m"]
    lines = [{"id": id, "text": BOOK[9000:9600]} for id in [*odd, "plain id"]]
    rows = "".join(json.dumps(line) + "\n" for line in lines)
    (place.folder / "sources/e.jsonl").write_text(rows)
    place.scan(drop_list=place.folder / "drop")
    got = (place.folder / "drop").read_text().split("\n")
    assert got.pop() == ""
    ids = [json.loads(line) if line.startswith('"') else line for line in got]
    assert ids == ["b.txt", "c.py", *odd, "plain id", "f.txt"]
    assert "plain id" in got
    assert "schön" in got


def test_the_cleaned_corpus_has_notices_for_what_is_protected(place: Place) -> None:
    place.scan(cleaned=place.folder / "clean")
    clean = {row["id"]: row["text"] for row in place.rows("clean")}
    assert clean["a.txt"] == PROSE
    assert len(clean) == 304
    begin, end = next(
        match["query_span"]
        for row in place.rows()
        for match in row["matches"]
        if row["document"] == "b.txt"
    )
    data = COPY.encode()
    notice = b"[passage withheld: matches book]"
    assert clean["b.txt"].encode() == data[:begin] + notice + data[end:]

    cutting = replace(Policy.balanced(), notice="")
    place.scan(policy=cutting, cleaned=place.folder / "cut")
    cut = {row["id"]: row["text"] for row in place.rows("cut")}
    assert cut["b.txt"].encode() == data[:begin] + data[end:]
    assert "f.txt" in clean
    with Index.open(place.folder / "index", key=None) as index:
        for text in cut.values():
            assert cutting.judge(text, index.search(text)).action in ("allow", "flag")


def test_excerpts_are_in_rows_only_if_asked_for(place: Place) -> None:
    place.scan()
    assert b'"excerpt":' not in place.read()
    place.scan(excerpts=True)
    row = next(row for row in place.rows() if row["document"] == "f.txt")
    assert row["matches"][0]["excerpt"]["passage"] in BOOK


def test_what_was_accepted_before_counts_no_more(place: Place) -> None:
    census = Census()
    place.scan(watch=census.see)
    (place.folder / "baseline").write_text("".join(census.lines()))
    baseline = Baseline.load(place.folder / "baseline")
    again = Census(baseline)
    summary = place.scan(baseline=baseline, watch=again.see, matches_only=True)
    assert summary.tally.actions == {"allow": 304}
    assert (again.new, again.known, again.gone) == (0, census.new, 0)


def test_progress_tells_what_was_read(place: Place) -> None:
    seen: list[ScanProgress] = []
    summary = place.scan(progress=seen.append)
    assert [one.tasks for one in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].tally == summary.tally
    assert summary.peak_bytes > 10 << 20
    assert summary.seconds > 0


# ---- long partitions


def test_a_long_partition_is_cut_by_its_documents_alone(tmp_path: Path) -> None:
    lines = (json.dumps({"id": str(n), "text": "x" * 1000}) + "\n" for n in range(10_000))
    path = tmp_path / "long.jsonl.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    (long,) = partitions([path])
    long = replace(long, is_long=True)
    batches = list(tasks_of([long]))
    assert all(isinstance(batch, Batch) for batch in batches)
    assert [item for batch in batches for item in batch.read()] == list(long.read())
    assert [batch.bytes for batch in batches] == [0] * (len(batches) - 1) + [long.bytes]
    assert len(batches) == 3


# ---- what ends it


def test_a_scan_killed_at_random_times_ends_as_one_left_alone() -> None:
    assert kills(8, seed=3).total() >= 8


class Interrupting:
    """An Engine that is interrupted after some results."""

    def __init__(self, after: int) -> None:
        self.after = after

    def run(self, make: Callable[[], Callable[[Any], Any]], tasks: Iterable[Any]) -> Iterator[Any]:
        for number, result in enumerate(SerialEngine().run(make, tasks)):
            if number == self.after:
                raise KeyboardInterrupt
            yield result


def interrupted(place: Place, after: int = 3, **options: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        place.scan(engine=Interrupting(after), **options)
    assert place.names >= {"rows.jsonl.partial", "rows.jsonl.checkpoint"}
    assert "rows.jsonl" not in place.names


def test_an_interrupted_scan_keeps_what_is_done(place: Place) -> None:
    place.scan("whole.jsonl")
    interrupted(place)
    done = Checkpoint.read(place.folder / "rows.jsonl.checkpoint")
    assert done is not None
    assert (done.tasks, done.is_finished) == (3, False)
    summary = place.scan(resume=True)
    assert summary.resumed_tasks == 3
    assert summary.tally.documents == 304
    assert place.read() == place.read("whole.jsonl")
    assert place.names == {"rows.jsonl", "whole.jsonl"}


def test_resume_where_nothing_was_begun_begins(place: Place) -> None:
    assert place.scan(resume=True).resumed_tasks == 0
    assert place.rows()


def test_what_was_cut_short_is_not_overwritten_in_silence(place: Place) -> None:
    interrupted(place)
    with pytest.raises(DedupError, match=r"cut short after 3 documents; go on with --resume, or"):
        place.scan()
    assert place.scan(resume=True).resumed_tasks == 3


def test_what_is_finished_is_not_resumed(place: Place) -> None:
    place.scan()
    before = place.read()
    with pytest.raises(DedupError, match="finished, so there is nothing to resume"):
        place.scan(resume=True)
    assert place.read() == before
    assert place.names == {"rows.jsonl"}
    place.scan()  # a new one takes its place


def test_resume_refuses_what_is_not_the_same(place: Place) -> None:
    interrupted(place)
    for options, told in (
        ({"policy": Policy.strict()}, "the policy"),
        ({"matches_only": True}, "--matches-only"),
        ({"shard": (1, 2)}, "--shard"),
        ({"cleaned": place.folder / "clean"}, "--cleaned"),
    ):
        with pytest.raises(DedupError, match=f"cannot resume: {told} changed since"):
            place.scan(resume=True, **options)
    with Index.open(place.folder / "index", key=None, writable=True) as index:
        index.add([Document("more", PROSE)])
        index.commit()
    with pytest.raises(DedupError, match="cannot resume: the index changed since"):
        place.scan(resume=True)
    assert place.names == {"rows.jsonl.partial", "rows.jsonl.checkpoint"}


def test_two_scans_do_not_write_one_output(place: Place) -> None:
    with (
        Outputs({"rows": place.folder / "rows.jsonl"}),
        pytest.raises(DedupError, match="another scan is writing it"),
    ):
        place.scan()
    assert place.names == set()


def test_a_damaged_checkpoint_is_told_and_not_believed(place: Place) -> None:
    interrupted(place)
    (place.folder / "rows.jsonl.partial").write_bytes(b"")
    with pytest.raises(DedupError, match="shorter than its checkpoint says"):
        place.scan(resume=True)
    for text in ("{", "[]", '{"schema_version": 9}', '{"schema_version": 1, "tasks": 3}'):
        (place.folder / "rows.jsonl.checkpoint").write_text(text)
        with pytest.raises(DedupError, match=r"checkpoint: not a checkpoint of this release"):
            place.scan(resume=True)


def test_a_scan_cut_short_while_it_ends_is_ended_by_resume(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = place.folder / "drop.gz"
    place.scan("whole.jsonl", drop_list=place.folder / "whole-drop.gz")
    calls = 0
    for at in range(20):
        calls, real = 0, Path.replace

        def failing(self: Path, target: Path, at: int = at, real: Any = real) -> Any:
            nonlocal calls
            if self.name.endswith(("partial", "drop.gz.writing")) or "rows" in self.name:
                calls += 1
                if calls == at + 1:
                    raise KeyboardInterrupt
            return real(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", failing)
            try:
                place.scan(drop_list=drop, checkpoint_s=1e9)
                break
            except KeyboardInterrupt:
                pass
        place.scan(resume=True, drop_list=drop)
        assert place.read() == place.read("whole.jsonl")
        assert place.read("drop.gz") == place.read("whole-drop.gz")
        assert place.names == {"rows.jsonl", "drop.gz", "whole.jsonl", "whole-drop.gz"}
    assert calls >= 3


def test_a_full_disk_is_told_and_the_scan_goes_on_when_there_is_room(place: Place) -> None:
    place.scan("whole.jsonl")
    script = (
        "import resource, sys\n"
        "from dedup import scan\n"
        "from dedup.engine import SerialEngine\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        f"scan({place.sources!r}, 'index', 'rows.jsonl', key=None, engine=SerialEngine())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": str(DATA.parent.parent)},
        capture_output=True,
        text=True,
    )
    assert "rows.jsonl.partial: File too large; free some, then go on with --resume" in done.stderr
    assert place.scan(resume=True).resumed_tasks >= 3
    assert place.read() == place.read("whole.jsonl")


def test_an_index_that_changes_meanwhile_ends_the_scan(place: Place) -> None:
    with Index.open(place.folder / "index", key=None, writable=True) as index:
        protected = Protected.of(index)
        protected.open().close()
        index.add([Document("more", PROSE)])
        index.commit()
    with pytest.raises(DedupError, match="the index changed while it was scanned with"):
        protected.open()


class Losing:
    """An Engine whose workers die over some tasks."""

    def run(self, make: Callable[[], Callable[[Any], Any]], tasks: Iterable[Any]) -> Iterator[Any]:
        work = make()
        for number, task in enumerate(tasks):
            yield Lost(task, "killed by SIGSEGV") if number in (1, 4) else work(task)


def test_what_no_worker_lives_through_is_a_problem_and_the_scan_goes_on(place: Place) -> None:
    problems: list[str] = []
    summary = place.scan(engine=Losing(), problem=problems.append)
    assert summary.tally.problems == 4
    source = place.sources[1]
    reason = "two workers ended over it (killed by SIGSEGV); it is not judged"
    assert problems[0] == f"{source}: {reason}"
    assert place.rows()[1]["action"] is None
    assert place.rows()[-2]["action"] == "block"


def test_a_reader_that_fails_spoils_its_own_part_only(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Partition.read

    def failing(self: Partition) -> Iterator[Any]:
        for number, item in enumerate(read(self)):
            if self.number == 4 and number == 10:
                raise RuntimeError("an oversight")
            yield item

    monkeypatch.setattr(Partition, "read", failing)
    summary = place.scan()
    assert summary.tally.documents == 304 - 290
    assert summary.tally.problems == 3
    errors = [row["error"] for row in place.rows() if row["error"]]
    assert any("RuntimeError: an oversight; what follows in this part" in one for one in errors)


def test_memory_does_not_grow_with_the_sources(tmp_path: Path, place: Place) -> None:
    (tmp_path / "big.jsonl").write_text(
        "".join(json.dumps({"id": str(n), "text": PROSE}) + "\n" for n in range(20_000))
    )
    script = (
        "import resource\n"
        "from dedup import scan\n"
        "from dedup.engine import SerialEngine\n"
        "def main(source):\n"
        "    done = scan([source], 'index', 'big.rows', key=None, engine=SerialEngine())\n"
        "    return done.peak_bytes\n"
        "small, large = main('sources/a.txt'), main('big.jsonl')\n"
        "print(large - small)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": str(DATA.parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    size = (tmp_path / "big.jsonl").stat().st_size
    assert size > 9 << 20
    assert int(done.stdout) < 40 << 20

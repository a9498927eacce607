"""Partitions cut the sources without a seam, alike every time, and can be read anywhere."""

import json
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest

from dedup import archive, columns, partition
from dedup import rows as row_module
from dedup.document import Document, SourceNote, SourceProblem
from dedup.partition import Partition, partitions
from dedup.reading import Reading
from dedup.source import read_sources

LABELLED = Reading(labels=Document("", ""))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is cut into small pieces."""
    monkeypatch.setattr(partition, "_GROUP_BYTES", 2000)
    monkeypatch.setattr(partition, "_GROUP_FILES", 7)
    for module in (archive, columns, row_module):
        monkeypatch.setattr(module, "CUT_BYTES", 1000)
    monkeypatch.setattr(row_module, "_PIECE_BYTES", 100)


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def rows(count: int, seed: int = 0) -> str:
    draw = random.Random(seed)
    return "".join(
        json.dumps({"text": f"row {number} " + "word " * draw.randrange(30)})
        + "\n" * (1 + number % 3)
        for number in range(1, count + 1)
    )


def read_apart(parts: list[Partition]) -> list[Document | SourceProblem]:
    """What the partitions give, each read in another process, in another folder."""
    code = "import pickle, sys; pickle.dump([list(p.read()) for p in pickle.load(sys.stdin.buffer)]"
    done = subprocess.run(
        [sys.executable, "-c", code + ", sys.stdout.buffer)"],
        input=pickle.dumps(parts),
        capture_output=True,
        check=True,
        cwd="/",
        env={"PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    found = [item for items in pickle.loads(done.stdout) for item in items]
    return [item for item in found if not isinstance(item, SourceNote)]


@pytest.mark.usefixtures("small")
def test_partitions_read_elsewhere_are_the_sources_read_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    for number in range(30):
        write(folder / f"{number % 4}/{number}.txt", f"text {number} " * number)
    write(folder / "bad.txt", b"caf\xe9")
    write(folder / "image.png", b"\x89PNG\0")
    write(folder / "rows.jsonl", rows(200))
    write(folder / "LICENSE", "MIT License")
    write(folder / "lines.jsonl", '{"n": 1}\n' * 500)
    (folder / "loop").symlink_to(folder)
    sources = [str(folder), str(tmp_path / "none"), str(write(tmp_path / "more.jsonl", rows(99)))]
    parts = list(partitions(sources, LABELLED))
    assert len(parts) > 20
    assert [part.number for part in parts] == list(range(len(parts)))
    assert parts == list(partitions(sources, LABELLED))
    expected = list(read_sources(sources))
    assert len([item for item in expected if isinstance(item, SourceProblem)]) == 3
    assert read_apart(parts) == expected


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n \n"])
def test_rows_keep_the_number_of_their_line_however_a_file_is_cut(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "a.jsonl", "\ufeff" + rows(300).replace("\n", end))
    parts = list(partitions([path]))
    assert len(parts) > 5
    found = [item for part in parts for item in part.read()]
    lines = path.read_bytes().split(b"\n")
    assert len(found) == 300
    for item in found:
        assert isinstance(item, Document)
        line = lines[int(item.id.partition("#")[2]) - 1].removeprefix(b"\xef\xbb\xbf")
        assert json.loads(line)["text"] == item.text


@pytest.mark.usefixtures("small")
def test_row_longer_than_a_stretch_is_not_cut(tmp_path: Path) -> None:
    long = json.dumps({"text": "word " * 5000})
    path = write(tmp_path / "a.jsonl", f'{{"text": "a"}}\n{long}\n{{"text": "b"}}')
    found = [item for part in partitions([path]) for item in part.read()]
    assert [item.id for item in found] == ["a.jsonl#1", "a.jsonl#2", "a.jsonl#3"]  # type: ignore[union-attr]


def test_listing_is_lazy(tmp_path: Path, small: None) -> None:
    for number in range(100):
        write(tmp_path / f"d/{number:03}.txt", "some words")
    parts = partitions([tmp_path / "d"])
    first = next(parts)
    assert [piece.file.path for piece in first.pieces] == [f"{n:03}.txt" for n in range(7)]  # type: ignore[union-attr]


def test_what_is_packed_and_long_is_said_to_be_long(tmp_path: Path, small: None) -> None:
    import gzip

    draw = random.Random(1)
    noise = "".join(json.dumps({"text": str(draw.random())}) + "\n" for _ in range(999)).encode()
    packed = write(tmp_path / "d/a.jsonl.gz", gzip.compress(noise))
    write(tmp_path / "d/b.txt", "word " * 999)
    (long, short) = partitions([tmp_path / "d"])
    assert (long.is_long, long.bytes) == (True, packed.stat().st_size)
    assert not short.is_long
    assert next(partitions(["-"])).is_long


def test_stamp_tells_whether_the_files_are_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "d/a.txt", "some words")
    write(tmp_path / "d/b.txt", "other words")

    def stamps(reading: Reading | None = None) -> list[str]:
        return [part.stamp for part in partitions([tmp_path / "d"], reading)]

    before = stamps()
    assert stamps() == before != stamps(LABELLED)
    path.write_text("same words")
    assert stamps() != before

"""What fsspec reaches is read like what lies on disk."""

import gzip
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dedup.document import Document, SourceNote, SourceProblem
from dedup.partition import partitions
from dedup.reading import Reading
from dedup.remote import is_url, name_of_url, split_pattern
from dedup.source import find_documents, read_sources

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def bucket() -> Iterator[str]:
    """A folder of a store that is in memory."""
    store = fsspec.filesystem("memory")
    for path, data in FILES.items():
        store.pipe(f"/bucket/{path}", data)
    yield "memory://bucket"
    store.rm("/bucket", recursive=True)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("in.txt", "inside")
    return file.getvalue()


FILES = {
    "docs/b.txt": b"b",
    "docs/a/z.jsonl": b'{"text": "one"}\n{"text": "two"}\n',
    "docs/a.txt.gz": gzip.compress(b"packed"),
    "docs/c.zip": zipped(),
    "docs/.hidden": b"no",
    "docs/image.png": b"\x89PNG\0",
    "other.txt": b"other",
}
TEXTS = {
    "docs/a/z.jsonl#1": "one",
    "docs/a/z.jsonl#2": "two",
    "docs/a.txt.gz": "packed",
    "docs/b.txt": "b",
    "docs/c.zip/in.txt": "inside",
}


def texts(source: str) -> dict[str, str]:
    items = [item for part in partitions([source]) for item in part.read()]
    assert not [item for item in items if isinstance(item, SourceProblem)]
    return {item.id: item.text for item in items if isinstance(item, Document)}


def problem(source: str, reading: Reading | None = None) -> str:
    (item,) = [item for part in partitions([source], reading) for item in part.read()]
    assert isinstance(item, SourceProblem)
    return str(item)


def test_folder_of_a_store_is_read_in_the_order_of_names(bucket: str) -> None:
    found = texts(f"{bucket}/docs")
    assert found == TEXTS
    assert list(found) == list(TEXTS)
    assert texts(f"{bucket}/docs/") == TEXTS
    notes: list[SourceNote] = []
    list(read_sources([f"{bucket}/docs"], note=notes.append))
    assert [str(note) for note in notes] == [f"{bucket}/docs: left out 1 binary file"]


def test_file_and_pattern_of_a_store_are_read(bucket: str) -> None:
    assert texts(f"{bucket}/docs/b.txt") == {"b.txt": "b"}
    assert texts(f"{bucket}/docs/*.txt*") == {"docs/a.txt.gz": "packed", "docs/b.txt": "b"}
    assert set(texts(f"{bucket}/**/*.jsonl")) == {
        "bucket/docs/a/z.jsonl#1",
        "bucket/docs/a/z.jsonl#2",
    }
    assert find_documents([f"{bucket}/docs"], ["docs/b.txt"]) == {"docs/b.txt": "b"}


def test_url_of_a_file_on_disk_is_its_path(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.txt").write_text("a")
    (tmp_path / "d/.gitignore").write_text("b.txt")
    (tmp_path / "d/b.txt").write_text("b")
    assert texts(f"file://{tmp_path}/d") == {"d/a.txt": "a"}
    assert texts(f"file://{tmp_path}/d/b.txt") == {"b.txt": "b"}


def test_file_of_the_web_is_read(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    (tmp_path / "a.jsonl").write_bytes(FILES["docs/a/z.jsonl"])
    (tmp_path / "c.zip").write_bytes(FILES["docs/c.zip"])
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        assert texts(f"{root}/a.jsonl?signed=1") == {"a.jsonl#1": "one", "a.jsonl#2": "two"}
        assert texts(f"{root}/c.zip") == {"c.zip/in.txt": "inside"}
        assert "none.txt" in problem(f"{root}/none.txt")
        server.shutdown()


def test_what_cannot_be_reached_is_a_problem(bucket: str) -> None:
    assert problem(f"{bucket}/none").startswith(f"{bucket}/none: ")
    assert problem("nosuch://a/b").startswith("nosuch://a/b: Protocol not known: nosuch")
    assert "no file in it" in problem(f"{bucket}/*.none")
    reading = Reading(revision="v1")
    assert problem(f"{bucket}/docs", reading).endswith("is no git repository; leave out --revision")


@pytest.mark.parametrize(
    ("url", "root", "pattern", "name"),
    [
        ("s3://bucket/a/b.txt", "s3://bucket/a/b.txt", "", "b.txt"),
        ("s3://bucket", "s3://bucket", "", "bucket"),
        ("s3://bucket/a/*.txt", "s3://bucket/a/", "*.txt", "a"),
        ("s3://bucket/**/x-[12].txt", "s3://bucket/", "**/x-[12].txt", "bucket"),
        ("https://x.org/a/b.txt?q=[1]", "https://x.org/a/b.txt?q=[1]", "", "b.txt"),
        ("simplecache::s3://b/c.zip", "simplecache::s3://b/c.zip", "", "c.zip"),
    ],
)
def test_url_is_split_before_its_first_wildcard(
    url: str, root: str, pattern: str, name: str
) -> None:
    assert is_url(url)
    assert split_pattern(url) == (root, pattern)
    assert name_of_url(root) == name


@pytest.mark.parametrize("path", ["a.txt", "/a/b", "C:/x", "a:b", "-", "a//b"])
def test_path_is_no_url(path: str) -> None:
    assert not is_url(path)

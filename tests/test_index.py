"""The index keeps what was committed, gives it back, and says what is wrong with a damaged one."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import _core
from dedup.errors import DedupError, FormatError, IndexLocked, WrongKey
from dedup.index import Index, Scheme
from dedup.key import Key, default_key
from dedup.source import Document

BOOKS = sorted((Path(__file__).parent / "data" / "books").glob("*.txt"))
KEY = Key(b"0123456789abcdef")


def book_documents() -> list[Document]:
    return [Document(p.name, p.read_text(), corpus="books", licence="PD") for p in BOOKS]


def paragraphs(count: int) -> list[Document]:
    parts = BOOKS[0].read_text().split("\n\n")
    return [Document(f"p{i}", part, corpus="paragraphs") for i, part in enumerate(parts[:count])]


def files(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in path.iterdir() if p.name.startswith("segment-")}


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.create(tmp_path / "books.idx", key=KEY) as index:
        index.add(book_documents())
        index.commit()
        yield index


def test_every_passage_of_a_book_is_found_where_it_is(index: Index) -> None:
    for document in book_documents():
        words = document.text.split()
        for at in range(0, len(words) - 80, 1500):
            passage = " ".join(words[at : at + 80])
            best = index.search(passage)[0]
            assert best.document == document.id
            assert (best.kind, best.identity, best.containment) == ("verbatim", 1.0, 1.0)
            start, end = best.document_span
            assert document.text.encode()[start:end].decode().split() == words_of(passage)


def words_of(passage: str) -> list[str]:
    """The words of a passage as its span shows them: without the punctuation at its ends."""
    data = passage.encode()
    _, starts, ends = _core.tokenize(passage)
    return data[int(starts[0]) : int(ends[-1])].decode().split()


def test_same_documents_scheme_and_key_make_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        with Index.create(tmp_path / name, key=KEY) as index:
            index.add(book_documents())
            index.commit()
    assert files(tmp_path / "a") == files(tmp_path / "b")


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 119), max_size=6, unique=True))
def test_build_then_merge_equals_build_at_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    documents = paragraphs(120)
    with Index.create(folder / "once", key=KEY) as index:
        index.add(documents)
        index.commit()
    with Index.create(folder / "steps", key=KEY) as index:
        bounds = [0, *sorted(cuts), len(documents)]
        for start, end in itertools.pairwise(bounds):
            index.add(documents[start:end])
            index.commit()
        index.merge()
    assert files(folder / "steps") == files(folder / "once")


def test_replaced_document_is_gone_at_the_commit_and_merge_leaves_no_trace(tmp_path: Path) -> None:
    old, new = book_documents()[:2]
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("same", old.text), *paragraphs(10)])
        index.commit()
        index.add([Document("same", new.text)])
        passage = " ".join(old.text.split()[5000:5100])
        assert index.search(passage)[0].document == "same"
        index.commit()
        assert not [match for match in index.search(passage) if match.document == "same"]
        assert index.search(" ".join(new.text.split()[500:600]))[0].document == "same"
        index.merge()
    with Index.create(tmp_path / "without", key=KEY) as index:
        index.add([*paragraphs(10), Document("same", new.text)])
        index.commit()
    assert files(tmp_path / "i") == files(tmp_path / "without")


def test_an_id_added_twice_before_the_commit_keeps_the_last(tmp_path: Path) -> None:
    first, second = book_documents()[:2]
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("x", first.text), Document("x", second.text)])
        index.commit()
        assert index.info().documents == 1
        assert not index.search(" ".join(first.text.split()[500:600]))
        index.merge()
        assert index.info().documents == 1


def test_unchanged_documents_add_nothing(index: Index) -> None:
    before = index.generation
    assert index.add(book_documents()) == 0
    assert index.commit() == before
    assert index.add([Document(BOOKS[0].name, BOOKS[0].read_text(), licence="other")]) == 1


def test_many_commits_leave_few_segments_and_the_same_answers(tmp_path: Path) -> None:
    documents = paragraphs(60)
    with Index.create(tmp_path / "i", key=KEY) as index:
        for document in documents:
            index.add([document])
            index.commit()
        assert index.info().segments <= 8
        assert index.info().documents == len(documents)
        for document in documents:
            if len(document.text.split()) >= 20:
                assert document.id in {m.document for m in index.search(document.text)}


def test_two_threads_answer_as_one(index: Index) -> None:
    text = BOOKS[1].read_text()
    queries = [text[at : at + 900] for at in range(0, len(text), 700)]
    assert index.search_batch(queries, 2) == index.search_batch(queries, 1)
    assert index.search_batch(queries, 1) == [index.search(query) for query in queries]


def test_a_segment_is_written_whenever_memory_is_full(tmp_path: Path) -> None:
    again = [replace(document, owner="me") for document in paragraphs(300)[:5]]
    with Index.create(tmp_path / "small", key=KEY) as index:
        index.add(paragraphs(300), memory_bytes=20_000)
        index.add(again, memory_bytes=20_000)  # ids that are in segments not yet committed
        with pytest.raises(ValueError, match="memory_bytes must be positive, got 0"):
            index.add(again, memory_bytes=0)
        assert len(list(index.path.glob("segment-*"))) > 4
        index.commit()
        assert (index.info().segments, index.generation) == (1, 2)  # so many are merged at once
        assert index.info().documents == 300
    with Index.create(tmp_path / "large", key=KEY) as index:
        index.add(paragraphs(300)[5:] + again)
        index.commit()
        large = index.info()
    with Index.open(tmp_path / "small", key=KEY) as index:
        assert index.info().tokens == large.tokens


def test_what_was_not_committed_is_not_there_and_leaves_no_files(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add(paragraphs(5))
        index.commit()
        kept = sorted((tmp_path / "i").iterdir())
        index.add(book_documents(), memory_bytes=1)
        assert len(list((tmp_path / "i").iterdir())) > len(kept)
    assert sorted((tmp_path / "i").iterdir()) == kept
    with Index.open(tmp_path / "i", key=KEY) as index:
        assert index.info().documents == 5


def test_reader_keeps_its_generation_until_it_reloads(index: Index) -> None:
    passage = " ".join(BOOKS[0].read_text().split()[100:200])
    with Index.open(index.path, key=KEY) as reader:
        found = reader.search(passage)
        index.add([Document(BOOKS[0].name, "nothing of it is left")])
        index.merge()
        assert reader.search(passage) == found
        assert reader.reload()
        assert reader.search(passage) == []
        assert not reader.reload()


# ---- keys


def test_default_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = default_key(create=True)
    path = tmp_path / "config" / "dedup" / "key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert default_key() == default_key(create=True) == key
    assert key.secret.hex() not in repr(key)
    path.chmod(0o644)
    with pytest.raises(WrongKey, match=r"others may read this key; run: chmod 600 .*/dedup/key"):
        default_key()
    path.chmod(0o600)
    path.write_text("not a key")
    with pytest.raises(WrongKey, match=r"not a key file; expected 32 hexadecimal digits"):
        default_key()
    path.unlink()
    with pytest.raises(WrongKey, match=r"no key at .*/dedup/key: .*copy the key file"):
        default_key()


def test_wrong_or_missing_key_opens_nothing(index: Index) -> None:
    other = Key(b"another key here")
    message = rf"made with key {KEY.id:016x}, given is {other.id:016x}; pass every key"
    with pytest.raises(WrongKey, match=message):
        Index.open(index.path, key=other)
    with pytest.raises(WrongKey, match="is keyed; pass the key it was made with"):
        Index.open(index.path, key=None)


def test_fingerprints_under_two_keys_have_nothing_in_common(tmp_path: Path) -> None:
    for name, key in (("a", KEY), ("b", Key(b"another key here"))):
        with Index.create(tmp_path / name, key=key) as index:
            index.add(book_documents())
            index.commit()
    (a,), (b,) = files(tmp_path / "a").values(), files(tmp_path / "b").values()
    equal = sum(x == y for x, y in zip(a, b, strict=False)) / min(len(a), len(b))
    assert equal < 0.4  # the document table, the spans, padding and chance


def test_no_protected_text_is_in_the_index(index: Index) -> None:
    (data,) = files(index.path).values()
    for word in ("Frankenstein", "Martians", "Scrooge", "which", "little"):
        assert word.encode() not in data
        assert word.lower().encode() not in data.replace(b"frankenstein.txt", b"")


# ---- refusals


def test_missing_index_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such: no index here .* dedup index add"):
        Index.open(tmp_path / "no-such")
    assert not (tmp_path / "no-such").exists()
    with pytest.raises(FileNotFoundError, match="no index here"):
        Index.open(tmp_path / "no-such", writable=True)


def test_create_touches_nothing_of_others(tmp_path: Path, index: Index) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match=r"full: not empty \(has 'letter.txt'\)"):
        Index.create(tmp_path / "full", key=KEY)
    with pytest.raises(FileExistsError, match="there is an index already"):
        Index.create(index.path, key=KEY)


def test_second_writer_is_refused_and_a_dead_one_is_not_waited_for(index: Index) -> None:
    with pytest.raises(IndexLocked, match=rf"process {os.getpid()} is writing to this index"):
        Index.open(index.path, key=KEY, writable=True)
    index.close()
    code = (
        "import os, sys; from dedup import Index, Key\n"
        f"Index.open({str(index.path)!r}, key=Key({KEY.secret!r}), writable=True)\n"
        "print('held', flush=True); os.kill(os.getpid(), 9)"
    )
    held = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert held.stdout == b"held\n" and held.returncode == -9
    with Index.open(index.path, key=KEY, writable=True) as writer:
        assert writer.add(paragraphs(2)) == 2


def test_reading_index_refuses_to_write(index: Index) -> None:
    with (
        Index.open(index.path, key=KEY) as reader,
        pytest.raises(ValueError, match="open for reading; pass writable=True"),
    ):
        reader.add(paragraphs(1))


def test_bad_documents_are_refused_by_id_and_lose_nothing(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("good", BOOKS[0].read_text())])
        with pytest.raises(ValueError, match=r"document 'bad': lone surrogate at character 3"):
            index.add([Document("bad", "abc\ud800def")])
        with pytest.raises(ValueError, match="needs an id that is not empty"):
            index.add([Document("", "text")])
        index.add([Document("empty", ""), Document("nul", "\0" * 100), Document("marks", "?!")])
        index.commit()
        assert index.info().documents == 4
        assert index.info().corpora[""].tokens == index.info().tokens > 10_000


def test_index_of_another_version_is_refused(index: Index) -> None:
    manifest = index.path / "MANIFEST"
    body = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(body | {"format_version": 99}))
    with pytest.raises(
        FormatError, match=r"MANIFEST: index format version 99, this dedup reads 3 to 4;"
    ):
        Index.open(index.path, key=KEY)
    manifest.write_text(json.dumps(body | {"generation": 7}))
    with pytest.raises(FormatError, match=r"MANIFEST: its checksum does not match; restore"):
        Index.open(index.path, key=KEY)
    manifest.write_text("{")
    with pytest.raises(FormatError, match=r"MANIFEST: not a manifest of dedup"):
        Index.open(index.path, key=KEY)


def test_missing_or_exchanged_segment_is_named(index: Index, tmp_path: Path) -> None:
    (segment,) = index.path.glob("segment-*")
    with Index.create(tmp_path / "other", key=KEY) as other:
        other.add(paragraphs(3))
        other.commit()
    (strange,) = (tmp_path / "other").glob("segment-*")
    segment.unlink()
    with pytest.raises(FormatError, match=rf"{segment.name}: the manifest names this segment"):
        Index.open(index.path, key=KEY)
    segment.write_bytes(strange.read_bytes())
    with pytest.raises(FormatError, match=rf"{segment.name}: not the segment the manifest names"):
        Index.open(index.path, key=KEY)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A segment of a few kB, so that all of it can be flipped."""
    path = tmp_path_factory.mktemp("small") / "i"
    with Index.create(path, key=KEY) as index:
        index.add(paragraphs(8))
        index.commit()
    (segment,) = path.glob("segment-*")
    return path, segment.read_bytes()


def test_any_flipped_bit_is_told(small: tuple[Path, bytes]) -> None:
    path, data = small
    (segment,) = path.glob("segment-*")
    try:
        for at in range(len(data)):
            flipped = bytearray(data)
            flipped[at] ^= 1 << at % 8
            segment.write_bytes(flipped)
            with pytest.raises(FormatError, match=r"segment-\w+\.dedup"):
                Index.open(path, key=KEY)
    finally:
        segment.write_bytes(data)


def test_any_truncation_or_extension_is_told(small: tuple[Path, bytes]) -> None:
    path, data = small
    (segment,) = path.glob("segment-*")
    try:
        for size in [*range(0, len(data), 37), len(data) - 1]:
            segment.write_bytes(data[:size])
            with pytest.raises(FormatError, match=r"segment-\w+\.dedup"):
                Index.open(path, key=KEY)
        segment.write_bytes(data + b"\0")
        with pytest.raises(FormatError, match=r"segment-\w+\.dedup"):
            Index.open(path, key=KEY)
    finally:
        segment.write_bytes(data)


def test_every_flipped_byte_of_the_manifest_is_told(small: tuple[Path, bytes]) -> None:
    path, _ = small
    manifest = path / "MANIFEST"
    text = manifest.read_bytes()
    body = json.loads(text)
    try:
        for at in range(len(text)):
            flipped = bytearray(text)
            flipped[at] ^= 0x11
            manifest.write_bytes(flipped)
            try:
                with Index.open(path, key=KEY) as index:
                    assert json.loads(bytes(flipped)) == body  # white space, not content
                    assert index.generation == body["generation"]
            except (DedupError, FileNotFoundError) as error:
                assert str(path) in str(error)
    finally:
        manifest.write_bytes(text)


def test_verify_reads_everything(index: Index) -> None:
    report = index.verify()
    assert (report.segments, report.documents) == (1, len(BOOKS))
    assert report.bytes == sum(map(len, files(index.path).values()))


def test_a_damaged_block_of_a_large_segment_is_told_when_touched(tmp_path: Path) -> None:
    path = tmp_path / "i"
    with Index.create(path, key=None) as index:
        words = " ".join(f"w{i}" for i in range(200_000))
        long = (Document(f"d{i}", words.replace("w", f"{i % 10}w")) for i in range(140))
        index.add(long, memory_bytes=1 << 30)
        index.commit()
    (segment,) = path.glob("segment-*")
    assert segment.stat().st_size > 64 * 1024 * 1024
    with segment.open("r+b") as file:  # inside the fingerprints, which lie before the seeds
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    with Index.open(path) as index:
        with pytest.raises(FormatError, match=r"checksum of bytes 999424-1015808 does not match"):
            index.verify()
        copied = " ".join(f"4w{i}" for i in range(190_000, 200_000))
        with pytest.raises(FormatError, match="does not match"):
            index.search(copied + " " + " ".join(f"5w{i}" for i in range(5_000)))


def test_scheme_shapes_the_index_and_is_kept(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=KEY, scheme=Scheme(tile_stride=4)) as index:
        index.add(book_documents())
        index.commit()
    with Index.open(tmp_path / "i", key=KEY) as index:
        assert index.scheme == Scheme(tile_stride=4)
        assert index.scheme.guaranteed_tokens == 8
    with pytest.raises(ValueError, match="tile_size is 1, expected 2 to 32"):
        Scheme(tile_size=1)


def test_index_tells_whether_it_holds_this_very_text(index: Index) -> None:
    document = book_documents()[0]
    assert index.holds(document.id, document.text)
    assert not index.holds(document.id, document.text + " ")
    assert not index.holds("no such document", document.text)

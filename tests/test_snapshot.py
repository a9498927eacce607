"""A snapshot is one generation, whatever is committed, merged or removed while it is read."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_filter import HARMLESS, PROTECTED
from test_index import BOOKS, KEY, book_documents, paragraphs

from dedup._core import Storage
from dedup.errors import FormatError, WrongKey
from dedup.filter import Filter
from dedup.index import Index
from dedup.key import Key
from dedup.policy import Policy
from dedup.source import Document

OTHER = Key(b"another key here")
WORDS = PROTECTED.split()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("a", PROTECTED), Document("b", HARMLESS * 3)])
        index.commit()
        yield index


def test_snapshot_keeps_its_generation_through_commit_and_merge(index: Index) -> None:
    old = index.snapshot
    index.remove(document="a")
    index.add([Document("c", PROTECTED)])
    index.merge()
    assert [m.document for m in old.search(PROTECTED)] == ["a"]
    assert [m.document for m in index.search(PROTECTED)] == ["c"]
    assert [d.id for d in old.documents()] == ["a", "b"]
    assert old.holds("a", PROTECTED) and not index.holds("a", PROTECTED)
    assert old.generation < index.generation


def test_documents_tell_all_that_is_known(tmp_path: Path) -> None:
    document = Document("a.py", "def f(x):\n    return x\n", "c", "MIT", "me", "https://x")
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([document])
        index.commit()
        (found,) = index.documents()
    labels = ("id", "corpus", "licence", "owner", "url", "expires")
    assert all(getattr(found, name) == getattr(document, name) for name in labels)
    assert (found.language, found.text_bytes, found.key_id) == ("python", 23, KEY.id)
    assert found.tokens == 5


def test_segment_that_a_merge_took_away_is_not_missed(index: Index) -> None:
    """A reader reads the manifest, and before it opens what that names, the writer merges."""
    is_first = True

    def merge_in_between(call: str, path: str, data: object) -> None:
        nonlocal is_first
        if call == "open" and path.endswith(".dedup") and is_first:
            is_first = False
            index.remove(document="a")
            index.merge()

    with Index.open(index.path, key=KEY, storage=Storage(merge_in_between)) as reader:
        assert reader.generation == index.generation == 3
        assert [document.id for document in reader.documents()] == ["b"]


def test_segment_that_is_gone_for_good_is_an_error_at_once(index: Index) -> None:
    (segment,) = index.path.glob("segment-*")
    segment.unlink()
    with pytest.raises(FormatError, match=rf"{segment.name}: the manifest names this segment"):
        Index.open(index.path, key=KEY)


def test_reload_tells_two_manifests_of_one_generation_apart(index: Index, tmp_path: Path) -> None:
    reader = Index.open(index.path, key=KEY)
    with Index.create(tmp_path / "other", key=KEY) as other:
        other.add([Document("z", PROTECTED)])
        other.commit()
    assert not reader.reload()
    for file in other.path.glob("[sM]*"):
        (index.path / file.name).write_bytes(file.read_bytes())
    assert reader.reload()
    assert [document.id for document in reader.documents()] == ["z"]


def test_failed_reload_leaves_the_old_generation_in_use(index: Index) -> None:
    reader = Index.open(index.path, key=KEY)
    manifest = index.path / "MANIFEST"
    good = manifest.read_bytes()
    manifest.write_bytes(good[:-9])
    with pytest.raises(FormatError):
        reader.reload()
    manifest.write_bytes(good)
    index.rotate(OTHER)
    with pytest.raises(WrongKey):
        reader.reload()
    assert reader.generation == 1 and reader.search(PROTECTED)


def test_reload_opens_only_what_is_new(index: Index) -> None:
    opened: list[str] = []

    def note(call: str, path: str, data: object) -> None:
        if call == "open" and path.endswith(".dedup"):
            opened.append(Path(path).name)

    with Index.open(index.path, key=KEY, storage=Storage(note)) as reader:
        before = {file.name for file in index.path.glob("segment-*")}
        index.add([Document("c", "something else")])
        index.commit()
        opened.clear()
        assert reader.reload()
        assert set(opened) == {file.name for file in index.path.glob("segment-*")} - before


def test_threads_see_one_generation_each_while_another_commits(tmp_path: Path) -> None:
    """Generation g protects g documents of one text, and nothing else."""
    with Index.create(tmp_path / "i", key=None) as index:
        check = Filter(index, Policy.balanced())
        wrong: list[tuple[int, int]] = []
        is_over = threading.Event()

        def read() -> None:
            while not is_over.is_set():
                verdict = check.check(PROTECTED)
                found = len({match.document for match in verdict.matches})
                if found != min(verdict.index_generation, 1):
                    wrong.append((verdict.index_generation, found))
                snapshot = index.snapshot
                ids = {document.id for document in snapshot.documents()}
                if ids != ({str(snapshot.generation)} if snapshot.generation else set()):
                    wrong.append((snapshot.generation, len(ids)))

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for generation in range(1, 40):
            index.remove(document=str(generation - 1))
            index.add([Document(str(generation), PROTECTED)])
            index.commit()
        is_over.set()
        for reader in readers:
            reader.join()
    assert wrong == []


# ---- several keys


def test_index_of_two_keys_answers_as_one_of_a_single_key(tmp_path: Path) -> None:
    documents = [*book_documents(), *paragraphs(40)]
    text = BOOKS[0].read_text()
    queries = [text[at : at + 3000] for at in range(3000, len(text), 9000)]
    with Index.create(tmp_path / "one", key=KEY) as one:
        one.add(documents)
        one.commit()
        expected = one.search_batch(queries)
    with Index.create(tmp_path / "two", key=KEY) as two:
        two.add(documents[1::2])
        two.rotate(OTHER)
        two.add(documents[0::2])
        two.commit()
        assert two.info().keys == {f"{OTHER.id:016x}": 22, f"{KEY.id:016x}": 21}
        answers = two.search_batch(queries, 2)
        assert answers == [two.search(query) for query in queries]
    for got, wanted in zip(answers, expected, strict=True):
        starts = [match.query_span.start for match in got]
        assert starts == sorted(starts)
        seen = [
            # Not the spans: a fingerprint has 8 bits, and under some key a neighbour agrees too.
            {(m.document, m.view, m.sources, m.owners) for m in matches if m.run > 20}
            for matches in (got, wanted)
        ]
        assert seen[0] == seen[1]


def test_code_is_parsed_once_for_all_keys(tmp_path: Path) -> None:
    code = (Path(__file__).parent / "data/code/timetable/slots.py").read_text()
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("a.py", code)])
        index.rotate(OTHER)
        index.add([Document("b.py", code)])
        index.commit()
        before = index.parses["parsed"]
        matches = index.search(f"```python\n{code}\n```")
        assert index.parses["parsed"] == before + 1
        assert {(m.document, m.sources) for m in matches if m.view == "ast"} == {
            ("a.py", 2),
            ("b.py", 2),
        }


def test_every_key_is_needed_and_unkeyed_segments_need_none(tmp_path: Path) -> None:
    path = tmp_path / "i"
    with Index.create(path, key=None) as index:
        index.add([Document("open", HARMLESS * 3)])
        index.rotate(KEY)
        index.add([Document("keyed", PROTECTED)])
        index.rotate(OTHER)
    for keys in (KEY, OTHER, [], None):
        with pytest.raises(WrongKey, match=rf"{path}: "):
            Index.open(path, key=keys)
    with pytest.raises(WrongKey, match=f"made with key {KEY.id:016x}, given is {OTHER.id:016x}"):
        Index.open(path, key=OTHER)
    with Index.open(path, key=[OTHER, KEY]) as reader:
        assert {document.id for document in reader.documents()} == {"open", "keyed"}
        assert reader.holds("open", HARMLESS * 3) and reader.holds("keyed", PROTECTED)
        assert reader.search(HARMLESS * 3) and reader.search(PROTECTED)

"""What one index exports another imports: the same matches, without the text."""

import errno
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from test_filter import HARMLESS, PROTECTED
from test_index import KEY, paragraphs

from dedup._core import SegmentWriter, Storage
from dedup.errors import FormatError, SchemeMismatch, WrongKey
from dedup.index import Index, Scheme
from dedup.key import Key
from dedup.source import Document

OTHER = Key(b"another key here")
SEA = Document("moby", PROTECTED, "sea", "PD", "Herman", "https://x/moby")
TALK = Document("minutes", HARMLESS * 3, "talk", "MIT", "Committee")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A file that a rights holder exported, under their own key."""
    with Index.create(tmp_path / "theirs", key=OTHER) as index:
        index.add([SEA, TALK, Document("old", PROTECTED, "sea")])
        index.commit()
        index.remove(document="old")
        index.commit()
        assert index.export(tmp_path / "sea.prints", corpus="SEA") == 1
    return tmp_path / "sea.prints"


def test_imported_documents_are_found_with_their_labels(tmp_path: Path, theirs: Path) -> None:
    with Index.create(tmp_path / "ours", key=[KEY, OTHER]) as index:
        assert index.import_(theirs) == 1
        assert index.search(PROTECTED) == []
        index.commit()
        (match,) = index.search(PROTECTED)
        assert (match.document, match.corpus, match.licence) == ("moby", "sea", "PD")
        assert (match.owner, match.url, match.kind) == ("Herman", "https://x/moby", "verbatim")
        assert index.holds("moby", PROTECTED)
        assert index.info().keys == {f"{KEY.id:016x}": 0, f"{OTHER.id:016x}": 1}
    with pytest.raises(WrongKey):
        Index.open(tmp_path / "ours", key=KEY)
    assert Index.open(tmp_path / "ours", key=[KEY, OTHER]).search(PROTECTED)


def test_file_holds_only_what_was_chosen_and_lives(theirs: Path) -> None:
    data = theirs.read_bytes()
    for word in ("minutes", "Committee", "grim", "old"):
        assert word.encode() not in data
    assert not list(theirs.parent.glob(".*"))


def test_importing_again_changes_nothing(tmp_path: Path, theirs: Path) -> None:
    with Index.create(tmp_path / "ours", key=[KEY, OTHER]) as index:
        index.import_(theirs)
        generation = index.commit()
        assert index.import_(theirs) == 0
        assert index.commit() == generation
        index.add(paragraphs(3))
        index.merge()
        before = index.generation
        assert index.import_(theirs) == 0
        assert index.commit() == before


def test_imported_document_replaces_one_of_its_id_pending_or_committed(
    tmp_path: Path, theirs: Path
) -> None:
    with Index.create(tmp_path / "ours", key=[KEY, OTHER]) as index:
        index.add([Document("moby", "an older text of this id"), *paragraphs(3)])
        index.import_(theirs)
        index.commit()
        assert sorted(d.id for d in index.documents()) == ["moby", "p0", "p1", "p2"]
        assert index.holds("moby", PROTECTED)
        index.add([Document("moby", "a newer text of this id")])
        index.commit()
        assert not index.search(PROTECTED)
        assert index.import_(theirs) == 1
        index.commit()
        assert index.search(PROTECTED)
        assert index.info().documents == 4


def test_removed_import_can_be_imported_again(tmp_path: Path, theirs: Path) -> None:
    with Index.create(tmp_path / "ours", key=[KEY, OTHER]) as index:
        index.import_(theirs)
        index.commit()
        index.remove(corpus="sea")
        assert index.import_(theirs) == 1
        index.commit()
        assert [document.id for document in index.documents()] == ["moby"]
        index.remove(corpus="sea")
        index.commit()
        assert index.import_(theirs) == 1
        index.close()
    with Index.open(tmp_path / "ours", key=[KEY, OTHER]) as index:
        assert index.snapshot.is_empty


def test_expired_documents_are_neither_exported_nor_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monday, tuesday = date(2030, 7, 1), date(2030, 7, 2)
    monkeypatch.setattr("dedup.expiry.today", lambda: monday)
    with Index.create(tmp_path / "theirs", key=None) as index:
        index.add([replace(SEA, expires=tuesday), TALK])
        index.commit()
        assert index.export(tmp_path / "monday.prints") == 2
        monkeypatch.setattr("dedup.expiry.today", lambda: tuesday)
        assert index.export(tmp_path / "tuesday.prints") == 1
    for file in ("monday.prints", "tuesday.prints"):
        with Index.create(tmp_path / f"{file}.idx", key=None) as index:
            assert index.import_(tmp_path / file) == 1
            index.commit()
            info = index.info()
            assert (info.documents, info.expired) == (1, 0)


def test_of_two_documents_of_one_id_in_a_file_the_last_is_taken_in(tmp_path: Path) -> None:
    """Which no index exports, but anyone may have made."""
    schemes = [Scheme(), Scheme.code(), Scheme.ast()]
    writer = SegmentWriter(schemes, None)
    for text in (HARMLESS * 3, PROTECTED):
        writer.add(text, "same", "", "", "", "")
    file = tmp_path / writer.write(str(tmp_path)).name
    with Index.create(tmp_path / "i", key=None) as index:
        assert index.import_(file) == 1
        index.commit()
        assert not index.search(HARMLESS * 3) and index.search(PROTECTED)
        assert index.info().documents == 1


def test_file_of_an_unkeyed_index_needs_no_key(tmp_path: Path) -> None:
    with Index.create(tmp_path / "open", key=None) as index:
        index.add([SEA])
        index.commit()
        index.export(tmp_path / "all.prints")
    with Index.create(tmp_path / "ours", key=KEY) as index:
        assert index.import_(tmp_path / "all.prints") == 1
        index.commit()
        assert index.search(PROTECTED)


def test_file_of_another_key_scheme_or_content_is_refused(tmp_path: Path, theirs: Path) -> None:
    made = rf"sea.prints: made with key {OTHER.id:016x}"
    with Index.create(tmp_path / "ours", key=KEY) as index, pytest.raises(WrongKey, match=made):
        index.import_(theirs)
    with Index.create(tmp_path / "fine", key=[KEY, OTHER], scheme=Scheme(tile_stride=4)) as index:
        message = (
            r"sea.prints: fingerprints of text with tile_stride=8, the index has tile_stride=4"
        )
        with pytest.raises(SchemeMismatch, match=message):
            index.import_(theirs)
    data = theirs.read_bytes()
    with Index.create(tmp_path / "other", key=[KEY, OTHER]) as index:
        for at in range(0, len(data), 97):
            theirs.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with pytest.raises((FormatError, WrongKey), match=r"sea\.prints"):
                index.import_(theirs)
        with pytest.raises(FileNotFoundError):
            index.import_(tmp_path / "missing")
        index.commit()
        assert index.generation == 0


def test_documents_under_two_keys_are_not_exported_to_one_file(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([SEA])
        index.rotate(OTHER)
        index.add([TALK])
        index.commit()
        with pytest.raises(ValueError, match=r"under 2 keys .*choose fewer .* add the sources"):
            index.export(tmp_path / "f")
        assert index.export(tmp_path / "f", owner="herman") == 1
        with pytest.raises(ValueError, match="no document fits, so there is nothing to export"):
            index.export(tmp_path / "f", corpus="sky")
        with pytest.raises(ValueError, match="lies in the index itself"):
            index.export(index.path / "f")


def test_export_is_not_done_before_its_name_will_last(tmp_path: Path) -> None:
    def fail(call: str, path: str, data: object) -> int | None:
        return errno.EIO if call == "fsync" and path == str(tmp_path) else None

    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([SEA])
        index.commit()
    reader = Index.open(index.path, key=KEY, storage=Storage(fail))
    with pytest.raises(OSError, match="Input/output error"):
        reader.export(tmp_path / "f")


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename"])
def test_export_that_fails_leaves_the_file_that_was_there(tmp_path: Path, call: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "f").write_text("what was there")
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([SEA])
        index.commit()

    def fail(name: str, path: str, data: object) -> int | None:
        return errno.ENOSPC if name == call and path.startswith(str(out / ".")) else None

    reader = Index.open(index.path, key=KEY, storage=Storage(fail))
    with pytest.raises(OSError, match="No space left"):
        reader.export(out / "f")
    assert [file.name for file in out.iterdir()] == ["f"]
    assert (out / "f").read_text() == "what was there"

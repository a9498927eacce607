"""Changes wait for the commit; a commit is made or not; what is in doubt stops the writer."""

import errno
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_filter import HARMLESS, PROTECTED
from test_index import KEY, files, paragraphs

from dedup._core import Storage
from dedup.errors import CommitInDoubt, IndexLocked
from dedup.index import Index
from dedup.key import Key
from dedup.source import Document

OTHER = Key(b"another key here")
SEA = Document("moby", PROTECTED, "Sea", "PD", "Herman")
TALK = Document("minutes", HARMLESS * 3, "talk", "CC-BY-4.0", "Committee")


class Faults:
    """Fails a call of a storage when it is told to."""

    def __init__(self) -> None:
        self.storage = Storage(self.hook)
        self.wanted: Callable[[str, str], bool] | None = None
        self.calls: list[tuple[str, str]] = []

    def hook(self, call: str, path: str, data: Any) -> int | None:
        self.calls.append((call, Path(path).name))
        return errno.EIO if self.wanted is not None and self.wanted(call, path) else None


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def index(tmp_path: Path, faults: Faults) -> Iterator[Index]:
    with Index.create(tmp_path / "i", key=KEY, storage=faults.storage) as index:
        index.add([SEA, TALK, *paragraphs(8)])
        index.commit()
        yield index


def ids(index: Index) -> list[str]:
    return sorted(document.id for document in index.documents())


# ---- removal


@pytest.mark.parametrize(
    ("selectors", "gone"),
    [
        ({"document": "moby"}, {"moby"}),
        ({"document": ["moby", "minutes", "no such"]}, {"moby", "minutes"}),
        ({"corpus": "sea"}, {"moby"}),
        ({"corpus": ["s*", "T???"]}, {"moby", "minutes"}),
        ({"licence": "cc-by*"}, {"minutes"}),
        ({"owner": "*"}, None),
        ({"owner": "?*"}, {"moby", "minutes"}),
        ({"owner": "herman", "licence": "MIT"}, set()),
        ({"document": []}, set()),
        ({"corpus": "sky"}, set()),
    ],
)
def test_what_fits_every_selector_is_removed_at_the_commit(
    index: Index, selectors: dict[str, Any], gone: set[str] | None
) -> None:
    before = ids(index)
    wanted = set(before) if gone is None else gone
    assert index.remove(**selectors) == len(wanted)
    assert ids(index) == before
    assert index.remove(**selectors) == 0
    generation = index.generation
    assert index.commit() == generation + bool(wanted)
    assert ids(index) == sorted(set(before) - wanted)
    assert bool(index.search(PROTECTED)) is ("moby" not in wanted)


def test_removal_without_selector_is_refused(index: Index) -> None:
    with pytest.raises(ValueError, match="nothing says what to remove; pass document, corpus"):
        index.remove()


def test_documents_that_wait_for_the_commit_are_removed_too(index: Index) -> None:
    index.add([Document("x", PROTECTED + " one"), Document("y", PROTECTED + " two")])
    index.add([Document("y", PROTECTED + " three")])
    assert index.remove(document=["x", "y"]) == 2
    kept = files(index.path).keys()
    assert index.commit() == 1
    assert "x" not in ids(index) and "y" not in ids(index)
    assert len(kept) == 2 and len(files(index.path)) == 1


def test_removed_document_can_be_added_again(index: Index) -> None:
    index.remove(document="moby")
    assert index.add([SEA]) == 1
    index.commit()
    assert [match.document for match in index.search(PROTECTED)] == ["moby"]
    assert ids(index).count("moby") == 1


def test_merge_leaves_no_trace_of_what_was_removed(index: Index, tmp_path: Path) -> None:
    index.remove(corpus=["sea", "talk"])
    index.merge()
    with Index.create(tmp_path / "without", key=KEY) as without:
        without.add(paragraphs(8))
        without.commit()
    assert files(index.path) == files(without.path)
    for word in (b"moby", b"Herman", b"Committee"):
        assert all(word not in file.read_bytes() for file in index.path.iterdir())


def test_index_from_which_all_is_removed_is_empty_and_goes_on(index: Index) -> None:
    index.remove(owner="*")
    index.commit()
    assert index.snapshot.is_empty and files(index.path) == {}
    index.add([SEA])
    index.commit()
    assert ids(index) == ["moby"]


# ---- rotation


def test_adding_all_again_moves_an_index_to_its_new_key(index: Index) -> None:
    documents = [SEA, TALK, *paragraphs(8)]
    assert index.rotate(OTHER) == 2
    assert index.rotate(OTHER) == 2
    assert index.info().key_id == f"{OTHER.id:016x}"
    assert index.add(documents[:4]) == 4
    index.commit()
    assert len(index.search(PROTECTED)) == 1
    assert index.add(documents) == len(documents) - 4
    index.merge()
    assert index.add(documents) == 0
    index.close()
    with Index.open(index.path, key=OTHER) as reader:
        assert reader.info().keys == {f"{OTHER.id:016x}": 10}
        assert [match.document for match in reader.search(PROTECTED)] == ["moby"]


def test_what_was_added_before_a_rotation_is_under_the_old_key(index: Index) -> None:
    index.add([Document("x", "added before")])
    index.rotate(OTHER)
    assert {d.key_id for d in index.documents()} == {KEY.id}
    index.merge()
    assert index.info().segments == 1


# ---- merging


def test_segment_more_than_half_dead_is_written_again(index: Index) -> None:
    (before,) = files(index.path)
    index.remove(document=[f"p{n}" for n in range(5)])
    index.commit()
    assert list(files(index.path)) == [before]
    index.remove(document=["moby"])
    assert index.commit() == 4
    (after,) = files(index.path)
    assert after != before
    assert len(ids(index)) == 4


def test_commit_stands_though_merging_after_it_fails(index: Index, faults: Faults) -> None:
    merging = False

    def wanted(call: str, path: str) -> bool:
        nonlocal merging
        merging = merging or (call == "rename" and path.endswith("MANIFEST.writing"))
        return merging and call == "write" and path.endswith(".segment.writing")

    faults.wanted = wanted
    index.remove(document=[f"p{n}" for n in range(8)])
    message = r"generation 2 is committed, but its segments could not be merged .*later commit"
    with pytest.warns(RuntimeWarning, match=message):
        assert index.commit() == 2
    assert ids(index) == ["minutes", "moby"]
    assert not list(index.path.glob(".*"))
    faults.wanted = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index.add([Document("x", "one more")])
        index.commit()
    assert index.generation == 4
    assert ids(Index.open(index.path, key=KEY)) == ["minutes", "moby", "x"]


# ---- failures


def test_steps_of_a_commit_are_in_their_order(index: Index, faults: Faults) -> None:
    index.add([Document("x", "one more")])
    index.remove(document="moby")
    faults.calls.clear()
    index.commit()
    steps = [f"{call} {name}" for call, name in faults.calls if call in ("fsync", "rename")]
    assert steps == [
        "fsync i",
        "fsync .MANIFEST.writing",
        "rename .MANIFEST.writing",
        "fsync i",
    ]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("open", ".segment.writing"),
        ("write", ".segment.writing"),
        ("fsync", ".segment.writing"),
        ("rename", ".segment.writing"),
        ("mmap", ".dedup"),
        ("open", ".MANIFEST.writing"),
        ("write", ".MANIFEST.writing"),
        ("fsync", ".MANIFEST.writing"),
        ("rename", ".MANIFEST.writing"),
    ],
)
def test_failed_commit_leaves_the_old_generation_and_can_be_tried_again(
    index: Index, faults: Faults, call: str, name: str
) -> None:
    index.add([Document("x", PROTECTED + " once more")])
    index.remove(owner="committee")
    index.add([Document("y", PROTECTED + " and again")])
    faults.wanted = lambda made, path: made == call and path.endswith(name)
    with pytest.raises(OSError, match="Input/output error"):
        index.commit()
    before = ["minutes", "moby", *(f"p{n}" for n in range(8))]
    assert ids(index) == ids(Index.open(index.path, key=KEY)) == before
    assert not list(index.path.glob(".*.writing"))
    faults.wanted = None
    assert index.commit() == 2
    assert (
        ids(index)
        == ids(Index.open(index.path, key=KEY))
        == sorted({*before, "x", "y"} - {"minutes"})
    )


def test_commit_in_doubt_stops_the_writer_and_removes_nothing(index: Index, faults: Faults) -> None:
    index.add([Document("x", PROTECTED + " once more")])
    syncs = 0

    def wanted(call: str, path: str) -> bool:
        nonlocal syncs
        syncs += call == "fsync" and path == str(index.path)
        return call == "fsync" and path == str(index.path) and syncs == 2

    faults.wanted = wanted
    with pytest.raises(CommitInDoubt, match="generation 2 may not outlive a power cut"):
        index.commit()
    kept = sorted(file.name for file in index.path.iterdir())
    for write in (
        index.commit,
        index.merge,
        lambda: index.add([SEA]),
        lambda: index.remove(document="x"),
        lambda: index.rotate(OTHER),
        lambda: index.import_("file"),
    ):
        with pytest.raises(CommitInDoubt, match=r"generation 2 may or may not .* open the index"):
            write()
    assert ids(index)[0] == "minutes"  # the generation it had can be searched still
    index.close()
    assert sorted(file.name for file in index.path.iterdir()) == kept
    with Index.open(index.path, key=KEY, writable=True) as opened:
        assert (opened.generation, "x" in ids(opened)) == (2, True)


def test_segments_whose_names_may_not_last_are_not_committed(index: Index, faults: Faults) -> None:
    index.add([Document("x", PROTECTED + " once more")])
    faults.wanted = lambda call, path: call == "fsync" and path == str(index.path)
    with pytest.raises(CommitInDoubt, match=r"generation 1 stays, .* add again what was not"):
        index.commit()
    faults.wanted = None
    with pytest.raises(CommitInDoubt, match="generation 2 was not committed"):
        index.commit()
    assert Index.open(index.path, key=KEY).generation == 1


def test_opening_to_write_syncs_what_a_commit_in_doubt_left(index: Index, faults: Faults) -> None:
    index.close()
    faults.wanted = lambda call, path: call == "fsync" and path == str(index.path)
    with pytest.raises(OSError, match="Input/output error"):
        Index.open(index.path, key=KEY, writable=True, storage=faults.storage)
    assert Index.open(index.path, key=KEY, storage=faults.storage).search(PROTECTED)
    faults.wanted = None
    Index.open(index.path, key=KEY, writable=True, storage=faults.storage).close()


def test_what_a_dead_writer_left_goes_with_the_next_commit(index: Index) -> None:
    strays = ["segment-0123456789abcdef.dedup", ".segment.writing", ".MANIFEST.writing"]
    index.close()
    for name in strays:
        (index.path / name).write_text("cut sho")
    with Index.open(index.path, key=KEY, writable=True) as opened:
        opened.commit()
        assert all((index.path / name).exists() for name in strays)
        opened.add([Document("x", "one more")])
        opened.commit()
        assert not any((index.path / name).exists() for name in strays)


# ---- creation


def test_creation_that_was_cut_short_can_be_made_good(tmp_path: Path) -> None:
    for leftovers in ([], ["LOCK"], ["LOCK", ".MANIFEST.writing"]):
        path = tmp_path / str(len(leftovers))
        path.mkdir()
        for name in leftovers:
            (path / name).touch()
        with pytest.raises(FileNotFoundError, match="no index here"):
            Index.open(path, key=KEY)
        with Index.create(path, key=KEY) as index:
            index.add([SEA])
            index.commit()
        assert ids(Index.open(path, key=KEY)) == ["moby"]


def test_of_two_creators_one_is_refused(tmp_path: Path) -> None:
    """The second has seen an empty folder before the first made an index of it."""
    path, others = tmp_path / "i", []

    def be_quicker(call: str, name: str, data: object) -> None:
        if call == "flock" and not others:
            others.append(Index.create(path, key=KEY))
            others[0].close()

    with pytest.raises(FileExistsError, match="there is an index already"):
        Index.create(path, key=OTHER, storage=Storage(be_quicker))
    assert Index.open(path, key=KEY).generation == 0


def test_creator_that_is_at_work_is_not_disturbed(tmp_path: Path) -> None:
    def be_late(call: str, name: str, data: object) -> None:
        if call == "write":
            with pytest.raises(IndexLocked, match=r"process \d+ is writing"):
                Index.create(tmp_path / "i", key=OTHER)

    Index.create(tmp_path / "i", key=KEY, storage=Storage(be_late)).close()
    assert Index.open(tmp_path / "i", key=KEY).generation == 0


@pytest.mark.parametrize("call", ["mkdir", "flock", "write", "fsync", "rename"])
def test_creation_that_fails_holds_no_lock(tmp_path: Path, faults: Faults, call: str) -> None:
    faults.wanted = lambda made, path: made == call
    with pytest.raises(OSError, match="Input/output error"):
        Index.create(tmp_path / "a" / "i", key=KEY, storage=faults.storage)
    faults.wanted = None
    if call != "rename" or not (tmp_path / "a" / "i" / "MANIFEST").exists():
        Index.create(tmp_path / "a" / "i", key=KEY, storage=faults.storage).close()

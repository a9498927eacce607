"""The manifest is swapped whole or not at all, and what it says is checked."""

import base64
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dedup._core import Scheme, Storage
from dedup.errors import CommitInDoubt, FormatError
from dedup.manifest import (
    MANIFEST,
    Entry,
    Manifest,
    fields_of,
    read_manifest,
    remove_strays,
    write_manifest,
)

SCHEMES = fields_of([Scheme(), Scheme.code(), Scheme.ast()])
STORAGE = Storage()
OLD = Manifest(1, 0, SCHEMES, (Entry("segment-a.dedup", 5, 10, 0),))
NEW = Manifest(2, 7, SCHEMES, (Entry("segment-a.dedup", 5, 10, 0, b"\x09"),))


def entries() -> st.SearchStrategy[Entry]:
    return st.builds(
        Entry,
        st.from_regex(r"segment-[0-9a-f]{1,16}\.dedup", fullmatch=True),
        st.integers(0, 2**63),
        st.integers(320, 2**32),
        st.integers(0, 2**64 - 1),
        st.binary(max_size=40).map(lambda data: data.rstrip(b"\0")),
    )


@given(
    generation=st.integers(0, 2**63),
    key_id=st.integers(0, 2**64 - 1),
    segments=st.lists(entries(), max_size=5, unique_by=lambda entry: entry.name),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, generation: int, key_id: int, segments: list[Entry]
) -> None:
    path = tmp_path_factory.mktemp("m")
    manifest = Manifest(generation, key_id, SCHEMES, tuple(segments))
    write_manifest(path, manifest, STORAGE)
    assert read_manifest(path, STORAGE) == manifest
    assert [file.name for file in path.iterdir()] == [MANIFEST]


def test_key_ids_are_those_of_old_segments_and_of_new_ones() -> None:
    assert NEW.key_ids == [7, 0]


def failing(call: str, wanted: Callable[[str, Any], bool]) -> Storage:
    """A storage in which such calls fail."""
    return Storage(
        lambda name, path, data: errno.EIO if name == call and wanted(path, data) else None
    )


@pytest.mark.parametrize("call", ["open", "write", "fsync", "close", "rename"])
def test_manifest_that_cannot_be_written_leaves_the_old_one_and_no_file(
    tmp_path: Path, call: str
) -> None:
    write_manifest(tmp_path, OLD, STORAGE)
    storage = failing(call, lambda path, data: path.endswith(".writing"))
    with pytest.raises(OSError, match="Input/output error") as raised:
        write_manifest(tmp_path, NEW, storage)
    assert not isinstance(raised.value, CommitInDoubt)
    assert read_manifest(tmp_path, STORAGE) == OLD
    assert [file.name for file in tmp_path.iterdir()] == [MANIFEST]


def test_manifest_whose_folder_cannot_be_synced_is_in_doubt(tmp_path: Path) -> None:
    write_manifest(tmp_path, OLD, STORAGE)
    storage = failing("fsync", lambda path, data: path == str(tmp_path))
    with pytest.raises(CommitInDoubt, match=r"generation 2 may not outlive a power cut.*open the"):
        write_manifest(tmp_path, NEW, storage)


def rewritten(path: Path, **changes: Any) -> None:
    """The manifest with other fields and the checksum of these."""
    body = json.loads((path / MANIFEST).read_text()) | changes
    del body["checksum"]
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    checksum = xxhash.xxh3_64_hexdigest(canonical)
    (path / MANIFEST).write_text(json.dumps({**body, "checksum": checksum}))


def test_feature_that_is_unknown_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, OLD, STORAGE)
    rewritten(tmp_path, features=["zstd", "bands-of-3"])
    with pytest.raises(FormatError, match="MANIFEST: needs bands-of-3, zstd, which this dedup"):
        read_manifest(tmp_path, STORAGE)


SEGMENT = {"name": "segment-a.dedup", "bytes": 1, "documents": 1, "key_id": "0", "dead": ""}


@pytest.mark.parametrize(
    "changes",
    [
        {"segments": [SEGMENT | {"name": "../segment-a.dedup"}]},
        {"segments": [SEGMENT | {"name": "segment-/../a.dedup"}]},
        {"segments": [SEGMENT | {"name": "LOCK"}]},
        {"segments": [SEGMENT | {"name": None}]},
        {"segments": [SEGMENT | {"dead": "not base64"}]},
        {"segments": [SEGMENT | {"dead": base64.b64encode(b"\x02").decode()}]},
        {"segments": [SEGMENT | {"key_id": "xyz"}]},
        {"segments": [SEGMENT | {"documents": -1}]},
        {"segments": [SEGMENT, SEGMENT]},
        {"segments": [{}]},
        {"segments": 3},
        {"schemes": []},
        {"schemes": {"text": {}}},
        {"schemes": {view: fields | {"tile_size": "5"} for view, fields in SCHEMES.items()}},
        {"generation": "x"},
        {"key_id": 3},
        {"features": None},
    ],
)
def test_wrong_field_is_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_manifest(tmp_path, OLD, STORAGE)
    rewritten(tmp_path, **changes)
    with pytest.raises(FormatError, match="MANIFEST: a field of it is wrong or missing; restore"):
        read_manifest(tmp_path, STORAGE)


def test_strays_are_removed_and_nothing_else(tmp_path: Path) -> None:
    write_manifest(tmp_path, OLD, STORAGE)
    kept = {MANIFEST, "LOCK", "segment-a.dedup", "README", "segment-notes.txt"}
    for name in (*kept, "segment-b.dedup", ".segment.writing", f".{MANIFEST}.writing"):
        (tmp_path / name).touch()
    remove_strays(tmp_path, OLD, STORAGE)
    assert {file.name for file in tmp_path.iterdir()} == kept


def test_stray_that_cannot_be_removed_is_left_to_the_next_commit(tmp_path: Path) -> None:
    (tmp_path / "segment-b.dedup").touch()
    remove_strays(tmp_path, OLD, failing("unlink", lambda path, data: True))
    remove_strays(tmp_path, OLD, failing("listdir", lambda path, data: True))
    assert (tmp_path / "segment-b.dedup").exists()

"""Indexes of released formats open for ever; those of a later one are refused with the reason."""

import json
import shutil
import struct
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xxhash
from golden import CODE, DATA, KEY, documents, golden, make, opening_of

from dedup.errors import FormatError, WrongKey
from dedup.index import Index
from dedup.key import Key
from dedup.manifest import FORMAT_VERSION

GOLDEN = [pytest.param(*one, id=one[0].name) for version in (3, 4) for one in golden(version)]


@pytest.mark.parametrize(("path", "key"), GOLDEN)
def test_a_golden_index_holds_what_was_put_into_it(path: Path, key: Key | None) -> None:
    first, second = documents()
    gone = ("removed.txt", "over.txt")
    with Index.open(path, key=key) as index:
        held = [
            (d.id, d.corpus, d.licence, d.owner, d.url, d.text_bytes, d.expires)
            for d in index.documents()
        ]
        assert held == [
            (d.id, d.corpus, d.licence, d.owner, d.url, len(d.text.encode()), d.expires)
            for d in [*first, *second]
            if d.id not in gone
        ]
        info = index.info()
        assert (info.segments, info.documents, info.expired, info.generation) == (2, 5, 1, 3)
        assert info.next_expiry == date(9000, 1, 1)
        assert info.key_id == (f"{key.id:016x}" if key else "")
        assert index.holds("heap.py", CODE)
        index.verify()


@pytest.mark.parametrize(("path", "key"), GOLDEN)
@pytest.mark.parametrize("book", ["frankenstein", "christmas-carol"])
def test_a_golden_index_finds_a_passage_where_it_is(path: Path, key: Key | None, book: str) -> None:
    text = opening_of(book)
    start = text.index(" ", 100) + 1
    passage = " ".join(text[start:].split()[:40])
    with Index.open(path, key=key) as index:
        (match,) = index.search(passage)
    assert (match.document, match.corpus, match.licence) == (f"{book}.txt", "books", "PD")
    assert (match.view, match.kind, match.tokens >= 40) == ("text", "verbatim", True)
    words = text.encode()[slice(*match.document_span)].decode().split()
    assert words == passage.strip(".,;:!?").split()


@pytest.mark.parametrize(("path", "key"), GOLDEN)
def test_a_golden_index_finds_code_and_its_function(path: Path, key: Key | None) -> None:
    with Index.open(path, key=key) as index:
        matches = [match for match in index.search(CODE) if match.view == "code"]
    assert {match.document for match in matches} == {"heap.py"}
    assert {(match.language, match.kind) for match in matches} == {("python", "verbatim")}
    assert max(match.lines[1] for match in matches) > 10


@pytest.mark.parametrize(("path", "key"), GOLDEN)
def test_a_golden_index_says_nothing_of_what_is_gone(path: Path, key: Key | None) -> None:
    with Index.open(path, key=key) as index:
        assert index.search(opening_of("war-of-the-worlds")) == []
        assert index.search("one two three four five six " * 9) == []


@pytest.mark.parametrize(("path", "key"), GOLDEN)
def test_a_golden_index_can_be_gone_on_with(path: Path, key: Key | None, tmp_path: Path) -> None:
    shutil.copytree(path, tmp_path / "copy")
    with Index.open(tmp_path / "copy", key=key, writable=True) as index:
        index.add(documents()[0][1:2])
        index.merge()
        assert index.info().segments == 1
        assert index.search(opening_of("war-of-the-worlds"))[0].document == "removed.txt"
        assert index.search(opening_of("frankenstein"))[0].document == "frankenstein.txt"
        index.verify()


@pytest.mark.parametrize(("path", "key"), golden(FORMAT_VERSION))
def test_the_same_documents_make_the_same_bytes_still(
    path: Path, key: Key | None, tmp_path: Path
) -> None:
    make(tmp_path / "again", key)
    # The first segment has a syntax tree in it, which depends on the version of a grammar.
    name = json.loads((path / "MANIFEST").read_text())["segments"][1]["name"]
    assert (tmp_path / "again" / name).read_bytes() == (path / name).read_bytes(), (
        "what is written has changed: that takes a new format version"
    )


def test_a_golden_index_under_a_key_opens_with_no_other() -> None:
    for key in (None, Key(b"another key here")):
        with pytest.raises(WrongKey):
            Index.open(DATA / "index-v4", key=key)


# ---- formats to come


def rewritten(segment: Path, offset: int, new: bytes) -> None:
    """Change bytes of a segment and make its checksums right, as a writer to come would."""
    data = bytearray(segment.read_bytes())
    data[offset : offset + len(new)] = new
    (body,) = struct.unpack_from("<Q", data, len(data) - 56)
    blocks = [data[at : min(at + 16384, body)] for at in range(0, body, 16384)]
    checks = b"".join(struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(b))) for b in blocks)
    data[body : body + len(checks)] = checks
    struct.pack_into("<Q", data, len(data) - 48, xxhash.xxh3_64_intdigest(checks))
    footer = xxhash.xxh3_64_intdigest(bytes(data[-64:-8]))
    struct.pack_into("<Q", data, len(data) - 8, footer)
    segment.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "new", "message"),
    [
        (
            8,
            struct.pack("<I", 2),
            r"segment format version 2, this dedup reads 3 to 4; use a matching",
        ),
        (
            8,
            struct.pack("<I", 5),
            r"segment format version 5, this dedup reads 3 to 4; use a matching",
        ),
        (12, bytes([1, 2, 3, 4]), r"was written on a machine of another byte order"),
        (16, struct.pack("<Q", 1 << 9), r"needs features 0x200 that this dedup does not have"),
        (0, b"dedupXXX", r"is no dedup segment; expected 'dedupSEG'"),
    ],
)
@pytest.mark.parametrize(("path", "key"), GOLDEN)
def test_a_segment_of_another_kind_is_refused_with_the_reason(
    path: Path, key: Key | None, tmp_path: Path, offset: int, new: bytes, message: str
) -> None:
    shutil.copytree(path, tmp_path / "copy")
    segment = next((tmp_path / "copy").glob("*.dedup"))
    rewritten(segment, offset, new)
    with pytest.raises(FormatError, match=rf"{segment.name}: {message}"):
        Index.open(tmp_path / "copy", key=key)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, r"index format version 2, this dedup reads 3 to 4;"),
        ({"format_version": 5}, r"index format version 5, this dedup reads 3 to 4;"),
        ({"features": ["sharded"]}, r"needs sharded, which this dedup does not know"),
        ({"generation": 7}, r"its checksum does not match"),
    ],
)
def test_a_manifest_of_another_kind_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    shutil.copytree(DATA / "index-v4", tmp_path / "copy")
    manifest = tmp_path / "copy" / "MANIFEST"
    body = json.loads(manifest.read_text()) | changes
    if "generation" not in changes:
        del body["checksum"]
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        body["checksum"] = xxhash.xxh3_64_hexdigest(canonical)
    manifest.write_text(json.dumps(body))
    with pytest.raises(FormatError, match=rf"MANIFEST: {message}"):
        Index.open(tmp_path / "copy", key=KEY)

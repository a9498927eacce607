"""Segments: what a merge leaves, and what can be read without the key."""

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import _core
from dedup.errors import FormatError

SCHEMES = [_core.Scheme(), _core.Scheme.code(), _core.Scheme.ast()]
KEY = b"0123456789abcdef"
COMMON = " ".join(f"licence{i % 37} header{i}" for i in range(30))


def words(seed: int, count: int) -> str:
    rng = random.Random(seed)
    return " ".join(f"w{rng.randrange(5000)}" for _ in range(count))


def documents(count: int, length: int = 60) -> list[tuple[str, str]]:
    """Half of them begin with a passage that is thus more common than a seed's cap."""
    return [
        (f"d{i}", (COMMON + " " if i % 2 == 0 else "") + words(i, length)) for i in range(count)
    ]


def write(
    folder: Path, items: list[tuple[str, str]], key: bytes | None = KEY, expires: int = 0
) -> _core.Segment:
    folder.mkdir(exist_ok=True)
    writer = _core.SegmentWriter(SCHEMES, key)
    for id, text in items:
        writer.add(text, id, "corpus", "MIT", "owner", "", expires)
    return _core.Segment(str(folder / writer.write(str(folder)).name), key)


def bits(numbers: set[int]) -> bytes:
    value = sum(1 << number for number in numbers)
    return value.to_bytes((value.bit_length() + 7) // 8, "little")


def found(segment: _core.Segment, dead: bytes, text: str, key: bytes | None = KEY) -> set[str]:
    matches = _core.Searcher([segment], [dead], key).search(text)
    return {segment.document(match.document)[0] for match in matches}


# ---- removal


@settings(max_examples=12, deadline=None)
@given(data=st.data(), key=st.sampled_from([KEY, None]))
def test_a_merge_after_removals_is_a_build_of_what_is_left(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, key: bytes | None
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    items = documents(200, 30)
    # Few left, so that seeds fall under the cap again; or many, so that they stay over it.
    keep = data.draw(st.sampled_from([3, 60, 129, 180]))
    left = set(data.draw(st.permutations(range(200)))[:keep])
    cut = data.draw(st.integers(1, 199))
    segments = [write(folder, items[:cut], key), write(folder, items[cut:], key)]
    dead = [
        bits({i for i in range(cut) if i not in left}),
        bits({i - cut for i in range(cut, 200) if i not in left}),
    ]
    merged = _core.merge_segments(segments, dead, key, str(folder))
    once = write(folder / "once", [item for i, item in enumerate(items) if i in left], key)
    assert (folder / merged.name).read_bytes() == Path(once.path).read_bytes()


def test_a_common_passage_is_found_in_what_is_left_before_the_merge_and_after(
    tmp_path: Path,
) -> None:
    items = documents(400)
    segment = write(tmp_path, items)
    assert len(found(segment, b"", COMMON)) >= 8
    left = {380, 390}
    dead = bits(set(range(400)) - left)
    assert found(segment, dead, COMMON) == {"d380", "d390"}
    merged = _core.merge_segments([segment], [dead], KEY, str(tmp_path))
    opened = _core.Segment(str(tmp_path / merged.name), KEY)
    assert found(opened, b"", COMMON) == {"d380", "d390"}


def test_a_removed_document_is_not_found(tmp_path: Path) -> None:
    items = documents(9)
    segment = write(tmp_path, items)
    for number, (id, text) in enumerate(items):
        assert id in found(segment, b"", text)
        assert id not in found(segment, bits({number}), text)


def test_merge_takes_a_name(tmp_path: Path) -> None:
    segment = write(tmp_path, documents(5))
    summary = _core.merge_segments([segment], [b"\x01"], KEY, str(tmp_path), name="part.dedup")
    assert summary.name.startswith("segment-") and summary.name != segment.summary.name
    assert _core.Segment(str(tmp_path / "part.dedup"), KEY).summary.documents == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["part.dedup", segment.summary.name]
    )


# ---- expiry


def test_expired_documents_are_told_by_day(tmp_path: Path) -> None:
    writer = _core.SegmentWriter(SCHEMES, KEY)
    for id, day in [("a", 30), ("b", 0), ("c", 10), ("d", 20), ("e", 10)]:
        writer.add(words(1, 30), id, "", "", "", "", day)
    segment = _core.Segment(str(tmp_path / writer.write(str(tmp_path)).name), KEY)
    assert [segment.expired(day) for day in (9, 10, 19, 20, 1000)] == [
        [],
        [2, 4],
        [2, 4],
        [2, 3, 4],
        [0, 2, 3, 4],
    ]
    assert [segment.next_expiry(day) for day in (0, 9, 10, 20, 29, 30)] == [10, 10, 20, 30, 30, 0]
    assert [segment.document(i)[-1] for i in range(5)] == [30, 0, 10, 20, 10]


# ---- what is readable without the key


def prefix(path: str) -> tuple[bytes, int, int, int, int, int]:
    """Magic, version, byte order, features, key id, nonce: what csrc/segment.h says is clear."""
    return struct.unpack_from("<8sIIQQQ", Path(path).read_bytes())


def decrypted(data: bytes, key: bytes, nonce: int, offset: int) -> bytes:
    """The cipher of csrc/cipher.h, slowly; offset and length are multiples of 8."""
    label, tail = b"dedup segment key ", struct.pack("<Q", nonce)
    subkey = b"".join(
        struct.pack("<Q", _core.siphash(key, label + half + tail)) for half in (b"0", b"1")
    )
    stream = b"".join(
        struct.pack("<Q", _core.siphash(subkey, (offset + at) // 8))
        for at in range(0, len(data), 8)
    )
    return bytes(x ^ y for x, y in zip(data, stream, strict=True))


def test_the_cipher_is_siphash_in_counter_mode(tmp_path: Path) -> None:
    segment = write(tmp_path, documents(3))
    data = Path(segment.path).read_bytes()
    magic, version, order, features, key_id, nonce = prefix(segment.path)
    assert (magic, version, order, features) == (b"dedupSEG", 4, 0x01020304, 0)
    assert key_id == segment.key_id == _core.key_id(KEY) == _core.Segment.key_id_of(segment.path)
    body = struct.unpack_from("<Q", data, len(data) - 56)[0]
    header = body - 272
    aligned = header // 8 * 8
    clear = decrypted(data[aligned : aligned + 8 * 35], KEY, nonce, aligned)[header - aligned :]
    assert clear[:8] == b"dedupSEG"
    assert struct.unpack_from("<Q", clear, 16)[0] == 3  # documents


def test_without_a_key_nothing_is_hidden_and_no_key_is_needed(tmp_path: Path) -> None:
    segment = write(tmp_path, documents(3), key=None)
    assert prefix(segment.path)[4:] == (0, 0)
    assert b"corpus" in Path(segment.path).read_bytes()
    with pytest.raises(ValueError, match="is under another key"):
        _core.Segment(segment.path, KEY)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    segment = write(tmp_path, documents(3))
    for key in (b"another key here", None):
        with pytest.raises(ValueError, match=r"segment-\w+\.dedup: is under another key"):
            _core.Segment(segment.path, key)


def test_names_and_repetition_are_hidden(tmp_path: Path) -> None:
    writer = _core.SegmentWriter(SCHEMES, KEY)
    writer.add("again " * 4096, "secret-name", "secret-corpus", "GPL", "secret-owner", "url")
    data = (tmp_path / writer.write(str(tmp_path)).name).read_bytes()
    assert b"secret" not in data
    # 4,096 equal fingerprints in a row, and as many equal spans, look like any other bytes.
    blocks = [data[at : at + 8] for at in range(64, 4096, 8)]
    assert len(set(blocks)) == len(blocks)


def test_segments_share_no_keystream(tmp_path: Path) -> None:
    nonces = {
        prefix(write(tmp_path / f"{n}", items).path)[5]
        for n, items in enumerate(
            [
                documents(3),
                documents(4),
                documents(3)[::-1],
                [(id, text + " more") for id, text in documents(3)],
                [(id + "x", text) for id, text in documents(3)],
            ]
        )
    }
    nonces.add(prefix(write(tmp_path / "expiring", documents(3), expires=7).path)[5])
    nonces.add(prefix(write(tmp_path / "other", documents(3), b"another key here").path)[5])
    assert len(nonces) == 7
    assert prefix(write(tmp_path / "same", documents(3)).path)[5] in nonces


def test_another_lexer_of_the_same_text_makes_another_keystream(tmp_path: Path) -> None:
    text = "total = price + tax\n" * 40
    nonces = set()
    for name, read in (("plus", text), ("minus", text.replace("+", "-"))):
        (tmp_path / name).mkdir()
        writer = _core.SegmentWriter(SCHEMES, KEY)
        writer.add(text, "id", "", "", "", "", 0, "python", _core.lex(read, "python"))
        nonces.add(prefix(str(tmp_path / name / writer.write(str(tmp_path / name)).name))[5])
    assert len(nonces) == 2


# ---- refusals


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, b"dedupXXX", "is no dedup segment; expected 'dedupSEG' at byte 0"),
        (8, struct.pack("<I", 9), "segment format version 9, this dedup reads 3 to 4; use a m"),
        (12, struct.pack(">I", 0x01020304), "was written on a machine of another byte order"),
        (16, struct.pack("<Q", 1 << 40), "needs features 0x10000000000 that this dedup does not"),
    ],
)
def test_a_segment_of_another_kind_is_refused_by_what_it_says(
    tmp_path: Path, offset: int, value: bytes, message: str
) -> None:
    segment = write(tmp_path, documents(3))
    data = bytearray(Path(segment.path).read_bytes())
    data[offset : offset + len(value)] = value
    Path(segment.path).write_bytes(resealed(bytes(data)))
    with pytest.raises(FormatError, match=message):
        _core.Segment(segment.path, KEY)
    with pytest.raises(FormatError, match=message):
        _core.Segment.key_id_of(segment.path)


def resealed(data: bytes) -> bytes:
    """The file with checksums that are right for its body: what another writer would have made."""
    footer = bytearray(data[-64:])
    (body,) = struct.unpack_from("<Q", footer, 8)
    checks = b"".join(
        struct.pack("<Q", _core.xxh3_64(data[at : min(at + 16384, body)]))
        for at in range(0, body, 16384)
    )
    struct.pack_into("<Q", footer, 16, _core.xxh3_64(checks))
    struct.pack_into("<Q", footer, 56, _core.xxh3_64(bytes(footer[:56])))
    return data[:body] + checks + bytes(footer)

"""The words of a segment: what is stored, what a merge makes of it, and what of it is told."""

import random
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from golden import documents, golden
from hypothesis import given, settings
from hypothesis import strategies as st
from test_segment import KEY, SCHEMES, bits, prefix, resealed

from dedup import Document, Index, _core
from dedup.errors import FormatError
from dedup.key import Key

WORD_BITS = 36


def write(folder: Path, texts: list[str], key: bytes | None = KEY) -> _core.Segment:
    folder.mkdir(parents=True, exist_ok=True)
    writer = _core.SegmentWriter(SCHEMES, key)
    for number, text in enumerate(texts):
        writer.add(text, f"{number}", "", "", "", "")
    return _core.Segment(str(folder / writer.write(str(folder)).name), key)


def merge(
    folder: Path, segments: list[_core.Segment], dead: list[set[int]], key: bytes | None = KEY
) -> _core.Segment:
    folder.mkdir(exist_ok=True)
    gone = [bits(numbers) for numbers in dead]
    return _core.Segment(
        str(folder / _core.merge_segments(segments, gone, key, str(folder)).name), key
    )


def known(segments: list[_core.Segment], words: list[str], key: bytes | None = KEY) -> set[str]:
    vocabulary = _core.Searcher(segments, [b""] * len(segments), key).vocabulary
    return {word for word in words if vocabulary.knows(word)}


def made_up(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


# ---- what is stored, read as csrc/word_index.h tells it


class BitReader:
    def __init__(self, data: bytes) -> None:
        self.value, self.at = int.from_bytes(data, "little"), 0

    def take(self, bits: int) -> int:
        self.at += bits
        return self.value >> (self.at - bits) & ((1 << bits) - 1)

    def unary(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return zeros

    def rice(self, low: int) -> int:
        return self.unary() << low | self.take(low)


def low_bits(range_: int, count: int) -> int:
    return (range_ // max(1, count) * 11 // 16 | 1).bit_length() - 1


def sections(path: str) -> Iterator[tuple[int, int, int, int]]:
    """Kind, view, offset and size of the sections of a segment without key."""
    data = Path(path).read_bytes()
    header = struct.unpack_from("<Q", data, len(data) - 56)[0] - 272
    (count,) = struct.unpack_from("<Q", data, header + 8)
    for number in range(count):
        yield struct.unpack_from("<IIQQ", data, header - 24 * (count - number))


def stored(path: str, of: int) -> dict[int, list[int]]:
    data = Path(path).read_bytes()
    words, holders = (
        data[offset : offset + size] for kind, _, offset, size in sections(path) if kind >= 12
    )
    (count,) = struct.unpack_from("<Q", words)
    word_bits, holder_bits = BitReader(words[8:]), BitReader(holders)
    found: dict[int, list[int]] = {}
    word = -1
    for _ in range(count):
        word += 1 + word_bits.rice(low_bits(1 << WORD_BITS, count))
        size = holder_bits.unary()
        held_by = (1 << size) + holder_bits.take(size)
        document, found[word] = -1, []
        for _ in range(held_by):
            document += 1 + holder_bits.rice(low_bits(of, held_by))
            found[word].append(document)
    return found


TEXTS = st.lists(
    st.lists(st.integers(0, 40).map(lambda n: f"w{n * n * n}"), max_size=30).map(" ".join),
    min_size=1,
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(texts=TEXTS, data=st.data())
def test_each_word_is_stored_with_the_documents_that_hold_it(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("words")
    cut = data.draw(st.integers(0, len(texts)))
    dead = data.draw(st.sets(st.sampled_from(range(len(texts))), max_size=len(texts) - 1))
    segments = [write(folder / "0", texts[:cut], None), write(folder / "1", texts[cut:], None)]
    gone = [{n for n in dead if n < cut}, {n - cut for n in dead if n >= cut}]
    merged = merge(folder, segments, gone, None)
    left = [text for number, text in enumerate(texts) if number not in dead]
    expected: dict[int, list[int]] = {}
    for number, text in enumerate(left):
        for token in set(_core.tokenize(text)[0].tolist()):
            expected.setdefault(token & ((1 << WORD_BITS) - 1), []).append(number)
    assert stored(merged.path, len(left)) == dict(sorted(expected.items()))


@pytest.mark.parametrize("key", [KEY, None])
def test_many_words_of_many_documents_are_known_and_no_others(
    tmp_path: Path, key: bytes | None
) -> None:
    rng = random.Random(1)
    words = made_up("word", 30_000)
    texts = [" ".join(rng.choices(words, k=20_000)) for _ in range(8)]
    segments = [write(tmp_path, texts[:3], key), write(tmp_path, texts[3:], key)]
    others = made_up("other", 30_000)
    assert known(segments, words, key) == set(" ".join(texts).split())
    assert len(known(segments, others, key)) < len(others) / 200


def test_a_vocabulary_is_made_once_whoever_asks_first(tmp_path: Path) -> None:
    words = made_up("word", 20_000)
    segment = write(tmp_path, [" ".join(words)])
    for _ in range(10):
        searcher = _core.Searcher([segment], [b""], KEY)
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(getattr, searcher, "vocabulary") for _ in range(8)]
            assert all(known.result().knows(words[-1]) for known in asked)


def test_without_documents_nothing_is_known(tmp_path: Path) -> None:
    assert known([], ["word"]) == set()
    assert known([write(tmp_path, ["", "..."])], ["word", ""]) == set()


# ---- what is gone


def test_a_merge_forgets_the_words_of_what_is_gone_alone(tmp_path: Path) -> None:
    own = [made_up(f"own{number}x", 100) for number in range(4)]
    shared = made_up("shared", 100)
    texts = [" ".join(words + shared) for words in own]
    segments = [write(tmp_path / "0", texts[:2]), write(tmp_path / "1", texts[2:])]
    merged = merge(tmp_path, segments, [{0}, {1}])
    left = set(shared + own[1] + own[2])
    assert known([merged], [*shared, *own[1], *own[2]]) == left
    assert len(known([merged], own[0] + own[3])) < 5
    last = merge(tmp_path, [merged], [{1}])
    assert len(known([last], own[2])) < 5


def test_an_exported_part_tells_no_words_of_the_rest(tmp_path: Path) -> None:
    ours, theirs = made_up("ours", 200), made_up("theirs", 200)
    with Index.create(tmp_path / "index", key=None) as index:
        index.add([Document("a", " ".join(ours), "ours"), Document("b", " ".join(theirs), "no")])
        index.commit()
        index.export(tmp_path / "part", corpus="ours")
    part = _core.Segment(str(tmp_path / "part"))
    assert known([part], ours, None) == set(ours)
    assert len(known([part], theirs, None)) < 5


# ---- format 3, which has no words


@pytest.mark.parametrize(("path", "key"), golden(3))
def test_of_documents_of_format_3_no_words_are_known(
    path: Path, key: Key | None, tmp_path: Path
) -> None:
    secret = key.secret if key else None
    old = [_core.Segment(str(file), secret) for file in sorted(path.glob("*.dedup"))]
    first, second = documents()
    words = [word for d in (*first, *second) for word in _core.normalised_tokens(d.text)]
    assert known(old, words, secret) == set()
    new = write(tmp_path, ["a document of format four"], secret)
    merged = merge(tmp_path, [*old, new], [set()] * 3, secret)
    for segments in ([*old, new], [merged]):
        assert known(segments, ["document", "format", "four"], secret) == {
            "document",
            "format",
            "four",
        }
        assert len(known(segments, words, secret) - {"a", "of"}) < len(set(words)) / 20


def test_a_segment_without_its_words_has_another_keystream(tmp_path: Path) -> None:
    """Else what both say would show where they differ."""
    (path, key), _ = golden(3)
    assert key is not None
    paths = (path, path.with_name("index-v4"))
    nonces = set()
    for number, folder in enumerate(paths):
        segments = [_core.Segment(str(file), key.secret) for file in sorted(folder.glob("*.dedup"))]
        segments.sort(key=lambda segment: segment.document(0)[0])
        out = tmp_path / f"{number}"
        out.mkdir()
        nonces.add(prefix(merge(out, segments, [set(), set()], key.secret).path)[5])
    assert len(nonces) == 2


# ---- damage


def test_words_that_cannot_be_are_refused_or_read_and_no_more(tmp_path: Path) -> None:
    """The checksums are right here, as of a writer who means harm."""
    rng = random.Random(2)
    texts = [" ".join(rng.choices(made_up("word", 60), k=40)) for _ in range(9)]
    segment = write(tmp_path, texts, None)
    whole = Path(segment.path).read_bytes()
    outcomes = set()
    for kind, _, offset, size in sections(segment.path):
        for at in range(offset, offset + size if kind >= 12 else offset):
            data = bytearray(whole)
            data[at] = rng.choice([0, 0xFF, whole[at] ^ 1 << rng.randrange(8)])
            Path(segment.path).write_bytes(resealed(bytes(data)))
            try:
                read = _core.Segment(segment.path)
                known([read], ["word1"], None)
                merge(tmp_path / "out", [read], [{0}], None)
                outcomes.add("read")
            except FormatError as error:
                outcomes.add(str(error).partition("word index")[2].partition(";")[0])
    assert outcomes >= {
        "read",
        " runs past its end",
        " holds an impossible number",
        " names a document that is not there",
    }
    assert any("impossible sizes" in outcome for outcome in outcomes)


@pytest.mark.parametrize("kind", [12, 13])
def test_a_segment_that_lacks_its_words_is_refused(tmp_path: Path, kind: int) -> None:
    segment = write(tmp_path, ["some words"], None)
    data = bytearray(Path(segment.path).read_bytes())
    (count,) = struct.unpack_from(
        "<Q", data, struct.unpack_from("<Q", data, len(data) - 56)[0] - 264
    )
    records = struct.unpack_from("<Q", data, len(data) - 56)[0] - 272 - 24 * count
    for number, (own, *_) in enumerate(sections(segment.path)):
        if own == kind:
            struct.pack_into("<I", data, records + 24 * number, 31)
    Path(segment.path).write_bytes(resealed(bytes(data)))
    with pytest.raises(FormatError, match="a section is missing"):
        _core.Segment(segment.path)

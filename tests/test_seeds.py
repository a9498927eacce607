"""Seeds made together are those made one by one; a filter of them changes no answer."""

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import Document, FormatError, Index, Key, _core

BOOKS = Path(__file__).parent / "data" / "books"
CODE = Path(__file__).parent / "data" / "code"
NO_SEED = 2**64 - 1

words = st.sampled_from(["a", "b", "c", "the", "of", "whale", "ship", "sea"])
prose = st.lists(words, max_size=200).map(" ".join)
lexemes = st.sampled_from(["a", "b", "total", "x.y", "(", "+", "=", "1", '"s"', "if", "\n", "for"])
code = st.lists(lexemes, max_size=200).map(" ".join)
schemes = st.sampled_from(
    [
        _core.Scheme(),
        _core.Scheme(tile_size=2, least_distinct=2),
        _core.Scheme(tile_size=32, least_distinct=5),
        _core.Scheme(gapped_shape=0),
        _core.Scheme(gapped_shape=0b111),
        _core.Scheme(gapped_shape=0b1010101101),
    ]
)


@given(prose, schemes)
def test_seeds_of_words_are_those_made_one_by_one(text: str, scheme: _core.Scheme) -> None:
    expected = _core.single_seeds(text, scheme)
    for portable in (False, True):
        assert np.array_equal(_core.query_seeds(text, scheme, portable=portable), expected)


@given(code, st.sampled_from([_core.Scheme.code(), _core.Scheme.ast()]))
def test_seeds_of_lexemes_are_those_made_one_by_one(text: str, scheme: _core.Scheme) -> None:
    assert np.array_equal(
        _core.query_seeds(text, scheme, lexemes=True),
        _core.single_seeds(text, scheme, lexemes=True),
    )


def test_seeds_of_real_texts_are_those_made_one_by_one() -> None:
    for path in sorted(BOOKS.glob("*.txt")):
        text = path.read_text()[:60_000]
        scheme = _core.Scheme()
        assert np.array_equal(_core.query_seeds(text, scheme), _core.single_seeds(text, scheme))
    for path in sorted(CODE.rglob("*.py")):
        text, scheme = path.read_text(), _core.Scheme.code()
        together = _core.query_seeds(text, scheme, lexemes=True)
        assert (together != NO_SEED).any()
        assert np.array_equal(together, _core.single_seeds(text, scheme, lexemes=True))


@given(prose, st.sampled_from([(2, 2), (4, 1), (1, 3), (8, 4), (1, 1)]), st.sampled_from([8, 64]))
def test_minima_of_windows_are_the_least_of_their_shingles(
    text: str, shape: tuple[int, int], size: int
) -> None:
    bands, rows = shape
    scheme = _core.Scheme(bands=bands, rows=rows, window_size=size, window_stride=size)
    minima = _core.window_minima(text, scheme, 4)
    assert np.array_equal(_core.window_minima(text, scheme, 4, portable=True), minima)
    tokens = len(text.split())
    assert len(minima) == max(0, (tokens - size - 1) // 4 + 1 if tokens > size else 0)
    # A window that moves on by four tokens is the union of two halves that overlap.
    longer = _core.Scheme(bands=bands, rows=rows, window_size=size + 4, window_stride=size + 4)
    unions = _core.window_minima(text, longer, 4)
    for union, (one, next_one) in zip(unions, pairwise(minima), strict=False):
        assert np.array_equal(union, np.minimum(one, next_one))


@pytest.mark.parametrize("key", [None, Key(bytes(range(16)))], ids=["without a key", "keyed"])
def test_a_filter_grows_with_the_searches_and_changes_no_answer(
    tmp_path: Path, key: Key | None
) -> None:
    rng = random.Random(1)
    books = {path.name: path.read_text() for path in sorted(BOOKS.glob("*.txt"))}
    queries = []
    for text in books.values():
        all_words = text.split()
        for length in (6, 12, 40, 400):
            at = rng.randrange(len(all_words) - length)
            passage = all_words[at : at + length]
            queries.append(" ".join(w if rng.random() < 0.9 else w[::-1] for w in passage))
    with Index.create(tmp_path / "i", key=key) as index:
        index.add(Document(name, text) for name, text in books.items())
        index.commit()
        (segment,) = index.snapshot.segments
        first = [index.search(query) for query in queries]
        assert any(first) and not segment.is_filtered[0]
        everything = "\n".join(books.values())
        index.search(everything[: len(everything) // 2])
        index.search(everything[len(everything) // 2 :])
        assert segment.is_filtered[0]
        assert [index.search(query) for query in queries] == first


def test_a_filter_that_meets_damage_is_given_up_and_searches_go_on(tmp_path: Path) -> None:
    words = [f"{a}{b}" for a in "abcdefghijklmnopqrst" for b in range(25_000)]
    query = " ".join(words[1000:1016])
    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("long", " ".join(words))])
        index.commit()
        expected = index.search(query)
    (file,) = (tmp_path / "i").glob("segment-*")
    whole = file.read_bytes()
    for damaged in range(8_000, len(whole), 16_384):
        file.write_bytes(whole[:damaged] + bytes([whole[damaged] ^ 1]) + whole[damaged + 1 :])
        try:
            index = Index.open(tmp_path / "i")
            assert index.search(query) == expected
        except FormatError:
            continue  # it needs this block
        for _ in range(4000):
            assert index.search(query) == expected
        if not index.snapshot.segments[0].is_filtered[0]:
            return  # else the block is not one of the seed table
    raise AssertionError("no damage kept a filter from being made")

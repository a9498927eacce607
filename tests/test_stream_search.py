"""What reads a text in pieces sees the tokens of the whole, and evidence in the same places."""

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup import _core

SCHEMES = [_core.Scheme(), _core.Scheme.code(), _core.Scheme.ast()]
WAR = (Path(__file__).parent / "data" / "books" / "war-of-the-worlds.txt").read_text()
SLOTS = (Path(__file__).parent / "data" / "code" / "timetable" / "slots.py").read_text()
Step = tuple[bool, int, int, int]
# Words, separators of all kinds, joiners, marks, and scripts without spaces.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", "\n", "'", "’", "-", "don't", "e\u0301", "\u200d", "½", "測", "한", "ก"]
        ),
        st.text("กขคงแเไยน์่\u200bのをしてカナｶﾅ'測a", max_size=20),
        st.text(max_size=8),
        st.sampled_from(["word", "x" * 300, "é" * 200]),
    ),
    max_size=30,
).map("".join)


def searcher(folder: Path, key: bytes | None, *, code: bool) -> _core.Searcher:
    writer = _core.SegmentWriter(SCHEMES, key)
    writer.add(WAR, "war", "", "", "", "")
    if code:
        writer.add(SLOTS, "slots", "", "", "", "", 0, "python", _core.lex(SLOTS, "python"))
    segment = _core.Segment(str(folder / writer.write(str(folder)).name), key)
    return _core.Searcher([segment], [b""], key)


@pytest.fixture(scope="module")
def searchers(tmp_path_factory: pytest.TempPathFactory) -> list[_core.Searcher]:
    """Words under one key, code under another."""
    folder = tmp_path_factory.mktemp("stream-search")
    return [
        searcher(folder, b"0123456789abcdef", code=False),
        searcher(folder, b"another key here", code=True),
    ]


def steps(searchers: list[_core.Searcher], pieces: list[str]) -> list[Step]:
    """Every token, one by one, with whether it brought evidence."""
    search = _core.StreamSearch(searchers)
    found: list[Step] = []

    def read() -> None:
        while (step := search.next(len(found) + 1)) is not None:
            found.append(step)

    for piece in pieces:
        search.feed(piece)
        read()
        assert search.certain <= len("".join(pieces).encode())
    search.finish()
    read()
    assert search.certain == len("".join(pieces).encode())
    return found


def cut(text: str, at: list[int]) -> list[str]:
    bounds = [0, *sorted({min(place, len(text)) for place in at}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds)]


@settings(deadline=None, max_examples=300)
@example(text="한0", cuts=[])
@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_tokens_are_those_of_the_whole_text_however_it_is_cut(text: str, cuts: list[int]) -> None:
    found = steps([], cut(text, cuts))
    _, starts, ends = _core.tokenize(text)
    assert [step[1:3] for step in found] == list(zip(starts.tolist(), ends.tolist(), strict=True))
    assert [step[3] for step in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize(
    "text",
    [
        *("x" * 1000, "ab'" * 200, "測試" * 200, "e\u0301" * 300, "a\u00ad" * 300),
        *("don't-'x' " * 50, "ก" * 1000, "のを" * 300, "การแสดงผลภาษาไทย" * 50, "ก์\u200b" * 300),
    ],
)
def test_long_words_and_odd_ones_are_cut_alike(text: str) -> None:
    assert steps([], list(text)) == steps([], [text])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 4000), max_size=60))
def test_evidence_is_in_the_same_places_however_the_text_is_cut(
    searchers: list[_core.Searcher], seed: int, cuts: list[int]
) -> None:
    rng = random.Random(seed)
    at = rng.randrange(len(WAR) - 600)
    code = SLOTS[rng.randrange(800) :][:900]
    text = f"Some words first. {WAR[at : at + 600]} and ```python\n{code}\n``` and the rest."
    whole = steps(searchers, [text])
    assert steps(searchers, cut(text, cuts)) == whole
    assert any(step[0] for step in whole)


def test_every_run_shows_before_it_is_longer_than_promised(
    searchers: list[_core.Searcher],
) -> None:
    _, starts, ends = _core.tokenize(WAR)
    data = WAR.encode()
    rng = random.Random(3)
    for _ in range(300):
        first = rng.randrange(len(starts) - 20)
        run = data[starts[first] : ends[first + 19]].decode()
        found = steps(searchers, ["zzz zzy zzx zzw ", run])
        assert any(step[0] for step in found[4:]), run


def test_next_stops_at_a_token_or_a_byte() -> None:
    search = _core.StreamSearch([])
    search.feed("one two three four five ")
    assert search.next(2) == (False, 4, 7, 2)
    assert search.next(0, 10) == (False, 8, 13, 3)
    assert search.next() == (False, 19, 23, 5)
    assert search.next() is None
    assert [search.start_of(token) for token in (1, 2, 5)] == [0, 4, 19]
    with pytest.raises(IndexError):
        search.start_of(6)
    assert search.certain == 24


def test_bad_utf8_is_refused() -> None:
    search = _core.StreamSearch([])
    with pytest.raises(ValueError, match="invalid UTF-8"):
        search.feed(b"abc \xff\xff def ")

"""Fillers at one distance are left out of a reading; ordinary texts have none."""

import time
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import _core

DATA = Path(__file__).parent / "data"
SPEECH = (DATA / "outputs" / "speech.txt").read_text()
NO_WORDS = _core.Vocabulary([])
TEXT = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief"
)
WORDS = TEXT.split()


def thinned(text: str) -> str | None:
    read = _core.read_as("thinned", text, NO_WORDS)
    return None if read is None else read[0]


def filled(words: list[str], fillers: list[str], period: int = 1) -> str:
    """Fillers in turn, one after every so many words."""
    turns = cycle(fillers)
    return " ".join(
        f"{word} {next(turns)}" if number % period == period - 1 else word
        for number, word in enumerate(words)
    )


def tokens(text: str) -> list[int]:
    return list(_core.tokenize(text)[0])


@pytest.mark.parametrize(
    ("fillers", "period"),
    [
        (["banana"], 1),
        (["banana"], 2),
        (["banana"], 3),
        (["the"], 1),
        (["banana split"], 1),
        (["um", "like", "please"], 1),
        (["um", "like"], 2),
        ([str(number) for number in range(1, 60)], 1),
        ([f"{number}." for number in range(97, 160)], 2),
        (["banana"], 10),
        (["的"], 1),
    ],
)
def test_fillers_are_left_out(fillers: list[str], period: int) -> None:
    words = [word for word in SPEECH.split() if word.isalpha()][:90] if period > 3 else WORDS
    reading = thinned(filled(words, fillers, period))
    assert reading is not None
    assert tokens(reading) == tokens(" ".join(words))


def test_words_with_only_a_filler_between_them_stay_apart() -> None:
    reading = thinned("的".join(WORDS))
    assert reading is not None
    assert tokens(reading) == tokens(" ".join(WORDS))


def test_a_filler_within_ordinary_text_is_left_out_and_the_rest_stays() -> None:
    around = "Nothing of this was hidden from anybody who could read what there was to read."
    reading = thinned(f"{around} {filled(WORDS, ['banana'])} {around}")
    assert reading is not None
    assert tokens(reading) == tokens(" ".join([around, *WORDS, around]))


@given(
    st.lists(st.sampled_from(["banana", "um", "12", "的", "🍌 so"]), min_size=1, max_size=3),
    st.integers(1, 4),
    st.lists(st.sampled_from(WORDS), min_size=30, max_size=80),
)
def test_what_was_thinned_shows_its_original_and_has_no_more_fillers(
    fillers: list[str], period: int, words: list[str]
) -> None:
    text = filled(words, fillers, period)
    read = _core.read_as("thinned", text, NO_WORDS)
    if read is None:
        return
    reading, runs = read
    assert thinned(reading) is None
    data, original = reading.encode(), text.encode()
    assert runs[:, 1].sum() == len(data)
    for at, size, start, end, copied in runs:
        assert not copied or data[at : at + size] == original[start:end]


@given(st.text(max_size=400))
def test_any_text_is_read_into_no_more_than_it_is(text: str) -> None:
    text = "".join(char for char in text if not 0xD800 <= ord(char) < 0xE000)
    reading = thinned(text)
    assert reading is None or len(reading.encode()) <= 2 * len(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        *((path.read_text()) for path in sorted((DATA / "outputs").glob("speech*.txt"))),
        "Когда я был маленьким, я жил у бабушки в деревне, и каждое утро мы ходили на реку. " * 2,
        "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜",
        "في البدء كان الكلمة والكلمة كان عند الله وكان الكلمة الله هذا كان في البدء عند الله",
        "def free_slots(busy):\n    free = []\n    for slot in busy:\n        free.append(slot)\n",
    ],
)
def test_ordinary_text_has_no_fillers(text: str) -> None:
    assert thinned(text) is None


@pytest.mark.parametrize("unit", ["a ", "a b ", "1 2 ", "& ", "the of ", "a" * 300 + " b "])
def test_hostile_texts_take_linear_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    start = time.process_time()
    thinned(text)
    assert time.process_time() - start < 10

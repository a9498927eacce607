"""Ciphers read as what was written: by the words they make, in the middle of other text."""

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import _core

DATA = Path(__file__).parent / "data"
BOOK = (DATA / "books" / "christmas-carol.txt").read_text()
SPEECH = (DATA / "outputs" / "speech.txt").read_text()
PASSAGE = " ".join(BOOK[3001:3600].split())
WHOLE_BOOK = _core.Vocabulary(BOOK.split())
ONE_PAGE = _core.Vocabulary(PASSAGE.split())
NOTHING = _core.Vocabulary([])

SMALL = "abcdefghijklmnopqrstuvwxyz"


def shifted(text: str, by: int) -> str:
    moved = SMALL[by:] + SMALL[:by]
    return text.translate(str.maketrans(SMALL + SMALL.upper(), moved + moved.upper()))


def atbash(text: str) -> str:
    moved = SMALL[::-1]
    return text.translate(str.maketrans(SMALL + SMALL.upper(), moved + moved.upper()))


def drawn_as(glyphs: str, text: str) -> str:
    return text.lower()[::-1].translate(str.maketrans(SMALL, glyphs))


def pig_latin(word: str, after_vowel: str) -> str:
    rest = word.lower().lstrip("bcdfghjklmnpqrstvwxyz")
    start = word.lower()[: len(word) - len(rest)]
    return rest + start + "ay" if start and rest else word + after_vowel


def each_word(change: Callable[[str], str], text: str) -> str:
    return re.sub("[A-Za-z]+", lambda word: change(word[0]), text)


CIPHERS: dict[str, Callable[[str], str]] = {
    "rot13": lambda text: shifted(text, 13),
    "rot3": lambda text: shifted(text, 3),
    "rot25": lambda text: shifted(text, 25),
    "Atbash": atbash,
    "reversed": lambda text: text[::-1],
    "words reversed": lambda text: each_word(lambda word: word[::-1], text),
    "turned": lambda text: drawn_as("ɐqɔpǝɟƃɥᴉɾʞʅɯuodbɹsʇnʌʍxʎz", text),
    "mirrored": lambda text: drawn_as("ɒdɔbɘʇǫʜijʞlmᴎoqpɿꙅƚuvwxγƹ", text),
    "pig latin": lambda text: each_word(lambda word: pig_latin(word, "way"), text),
    "pig latin, yay": lambda text: each_word(lambda word: pig_latin(word, "yay"), text),
}


def words_of(text: str) -> list[str]:
    return _core.normalised_tokens(text)


@pytest.mark.parametrize("vocabulary", [WHOLE_BOOK, ONE_PAGE], ids=["book", "page"])
@pytest.mark.parametrize("cipher", CIPHERS)
def test_cipher_within_prose_is_read(cipher: str, vocabulary: _core.Vocabulary) -> None:
    before, after = SPEECH[:300], SPEECH[300:600]
    hidden = CIPHERS[cipher](PASSAGE)
    text = f"{before}\n\n{hidden}\n\n{after}"
    reading = _core.read_as("deciphered", text, vocabulary)
    assert reading is not None
    read, runs = reading
    written, found = words_of(PASSAGE), words_of(read)
    # Pig latin leaves it open whether "asway" is "as" or "was"; f of mirrored letters is turned t.
    triples = set(zip(written, written[1:], written[2:], strict=False))
    back = triples & set(zip(found, found[1:], found[2:], strict=False))
    assert len(back) > (0.75 if cipher.startswith(("pig", "mirrored")) else 0.9) * len(triples)
    assert read.startswith(before[:250]) and read.endswith(after[50:])
    assert _core.read_as("deciphered", read, vocabulary) is None

    original, given_back = text.encode(), read.encode()
    assert sum(size for _, size, *_ in runs.tolist()) == len(given_back)
    start = len(before.encode())
    for at, size, first, last, copied in runs.tolist():
        if copied:
            assert given_back[at : at + size] == original[first:last]
        else:
            assert start - 20 <= first <= last <= start + 20 + len(hidden.encode())


def test_deciphered_word_comes_of_the_word_that_hid_it() -> None:
    text = shifted(PASSAGE, 13)
    reading = _core.read_as("deciphered", text, WHOLE_BOOK)
    assert reading is not None
    read, runs = reading
    for at, size, start, end, _ in runs.tolist():
        assert shifted(text[start:end], 13) in (
            read[at : at + size],
            shifted(read[at : at + size], 13),
        )


def test_without_a_vocabulary_nothing_is_deciphered() -> None:
    assert _core.read_as("deciphered", shifted(PASSAGE, 13), NOTHING) is None


def test_words_between_ciphers_stay() -> None:
    words = shifted(PASSAGE, 13).split()
    words[10:10] = ["Christmas", "Scrooge"]
    reading = _core.read_as("deciphered", " ".join(words), WHOLE_BOOK)
    assert reading is not None and "Christmas Scrooge" in reading[0]


noise = random.Random(11)
SYLLABLES = {
    "like Italian": "al ba ca da de di do e fe fi ga gio la le li lo ma me mi na ne ni no pa per "
    "po qua ra re ri ro sa se si so sta ta te ti to tra va ve vi za",
    "like German": "ab auf be ch den der die du ein end er es ge gen haft heit ich ig isch keit "
    "lich mit nung sch sein ste tag te ten um un ung ver vor wald wer wir zu",
    "like Welsh": "aber bryn ch dd dyn fa ff gw gwyn hy ll llan mawr nant pen pont rh rhos sir th "
    "tref tyn w wy wyn y yn yr ys",
    "letters": " ".join(SMALL),
}
UNKNOWN = {
    kind: " ".join(
        "".join(noise.choices(syllables.split(), k=noise.choice([2, 3, 3, 4])))
        for _ in range(30_000)
    )
    for kind, syllables in SYLLABLES.items()
}
UNKNOWN["hex"] = " ".join(noise.randbytes(4).hex() for _ in range(30_000))
UNKNOWN["code"] = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
UNKNOWN["Russian"] = "Все счастливые семьи похожи друг на друга, каждая несчастлива. " * 200
UNKNOWN["Chinese"] = "我们的生活非常美好而且充满希望。" * 200


@pytest.mark.parametrize("vocabulary", [WHOLE_BOOK, ONE_PAGE], ids=["book", "page"])
@pytest.mark.parametrize("kind", UNKNOWN)
def test_unknown_words_are_no_cipher(kind: str, vocabulary: _core.Vocabulary) -> None:
    assert _core.read_as("deciphered", UNKNOWN[kind], vocabulary) is None


@pytest.mark.parametrize(
    "text", ["a" * (1 << 20), "xq " * 300_000, "1 " * 500_000, "'" * (1 << 20)]
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    began = time.process_time()
    _core.read_as("deciphered", text, WHOLE_BOOK)
    assert time.process_time() - began < 20


pieces = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.tuples(st.sampled_from(sorted(CIPHERS)), st.integers(0, 300), st.integers(50, 300)).map(
        lambda drawn: CIPHERS[drawn[0]](PASSAGE[drawn[1] : drawn[1] + drawn[2]])
    ),
)


@given(st.lists(pieces, max_size=4))
def test_reading_reads_as_itself(parts: list[str]) -> None:
    text = " ".join(parts)
    reading = _core.read_as("deciphered", text, WHOLE_BOOK)
    if reading is not None:
        assert len(reading[0].encode()) <= 4 * len(text.encode())
        assert _core.read_as("deciphered", reading[0], WHOLE_BOOK) is None


def test_pig_latin_with_marks_beyond_ascii_stays_valid() -> None:
    words = CIPHERS["pig latin"](PASSAGE).split()
    for at in range(3, len(words), 7):
        words[at] = ("ere’ay", "eat’ay?", "s“Whay", "éay")[at % 4]
    reading = _core.read_as("deciphered", " ".join(words), WHOLE_BOOK)
    assert reading is not None and "ere’ay" in reading[0]

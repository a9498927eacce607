"""Codes read as what they hold: every code, wrapped and cut, and nothing that is no text."""

import base64
import random
import textwrap
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import _core

TEXT = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity"
)
WORDS = TEXT.lower().replace(",", "").split()
NOTHING = _core.Vocabulary([])
KNOWN = _core.Vocabulary(WORDS)

SIGNS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- "
    ".-- -..- -.-- --.."
)
SAID = (
    "Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November "
    "Oscar Papa Quebec Romeo Sierra Tango Uniform Victor Whiskey X-ray Yankee Zulu"
)
MORSE = dict(zip("abcdefghijklmnopqrstuvwxyz", SIGNS.split(), strict=True))
NAMES = dict(zip("abcdefghijklmnopqrstuvwxyz", SAID.split(), strict=True))
BRAILLE = dict(zip("abcdefghijklmnopqrstuvwxyz", "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵", strict=True))


def spelled(alphabet: dict[str, str], letter: str, word: str) -> Callable[[bytes], str]:
    return lambda text: word.join(
        letter.join(alphabet[c] for c in part)
        for part in text.decode().lower().replace(",", "").split()
    )


CODES: dict[str, Callable[[bytes], str]] = {
    "base64": lambda text: base64.b64encode(text).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text).decode().rstrip("="),
    "base64 in lines of 76": lambda text: base64.encodebytes(text).decode(),
    "base64 in lines of 64": lambda text: "\r\n".join(
        textwrap.wrap(base64.b64encode(text).decode(), 64)
    ),
    "base64 in strings": lambda text: "\n".join(
        f'    "{line}",' for line in textwrap.wrap(base64.b64encode(text).decode(), 50)
    ),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text)).decode(),
    "base32": lambda text: base64.b32encode(text).decode(),
    "base32 in small letters": lambda text: base64.b32encode(text).decode().lower(),
    "base85": lambda text: base64.b85encode(text).decode(),
    "ascii85": lambda text: base64.a85encode(text, adobe=True, wrapcol=70).decode(),
    "hex": lambda text: text.hex(),
    "hex in capitals": lambda text: text.hex().upper(),
    "hex, spaced": lambda text: text.hex(" "),
    "hex, colons": lambda text: text.hex(":"),
    "hex of C": lambda text: ", ".join(f"0x{byte:02x}" for byte in text),
    "hex of base64": lambda text: base64.b64encode(text).hex(),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text),
    "binary without spaces": lambda text: "".join(f"{byte:08b}" for byte in text),
    "binary, seven bits": lambda text: " ".join(f"{byte:07b}" for byte in text),
    "decimal": lambda text: " ".join(map(str, text)),
    "decimal list": lambda text: str(list(text)),
    "octal": lambda text: " ".join(f"{byte:03o}" for byte in text),
    "Morse": spelled(MORSE, " ", " / "),
    "Morse, spaces": spelled(MORSE, " ", "   "),
    "Morse, typeset": lambda text: (
        spelled(MORSE, " ", " / ")(text).replace(".", "·").replace("-", "−")
    ),
    "spelling alphabet": spelled(NAMES, " ", " / "),
    "Braille": spelled(BRAILLE, "", "⠀"),
}


def words_of(text: str) -> list[str]:
    return _core.normalised_tokens(text)


@pytest.mark.parametrize("vocabulary", [KNOWN, NOTHING], ids=["known", "unknown"])
@pytest.mark.parametrize("code", CODES)
def test_code_is_read_as_what_it_holds(code: str, vocabulary: _core.Vocabulary) -> None:
    before, after = "He wrote this: ", " and went away."
    text = before + CODES[code](TEXT.encode()) + after
    reading = _core.read_as("decoded", text, vocabulary)
    assert reading is not None
    read, runs = reading
    assert " ".join(WORDS) in " ".join(words_of(read))
    assert read.startswith("He wrote this") and read.endswith(after)
    assert _core.read_as("decoded", read, vocabulary) is None
    check_runs(text, read, runs.tolist())


def check_runs(text: str, read: str, runs: list[list[int]]) -> None:
    original, given_back = text.encode(), read.encode()
    assert sum(size for _, size, *_ in runs) == len(given_back)
    for at, size, start, end, copied in runs:
        assert 0 <= start <= end <= len(original)
        if copied:
            assert given_back[at : at + size] == original[start:end]


@pytest.mark.parametrize(
    "code", ["base64", "base32", "base85", "hex", "binary without spaces", "base64 twice"]
)
@pytest.mark.parametrize("cut", [1, 2, 3, 5, 7])
def test_code_cut_at_both_ends_is_read_but_for_a_word(code: str, cut: int) -> None:
    coded = CODES[code](TEXT.encode())[cut:-cut]
    reading = _core.read_as("decoded", coded, NOTHING)
    assert reading is not None
    assert " ".join(WORDS[3:-3]) in " ".join(words_of(reading[0]))


def test_code_broken_within_is_read_on_both_sides() -> None:
    coded = CODES["base64"](TEXT.encode())
    reading = _core.read_as("decoded", coded[:101] + coded[102:], NOTHING)
    assert reading is not None
    read = " ".join(words_of(reading[0]))
    assert " ".join(WORDS[:14]) in read and " ".join(WORDS[-10:]) in read


def test_decoded_bytes_come_of_the_symbols_that_made_them() -> None:
    text = "Read: " + CODES["base64"](TEXT.encode())
    reading = _core.read_as("decoded", text, KNOWN)
    assert reading is not None
    read, runs = reading
    at = read.encode().index(b"wisdom")
    parts = [run for run in runs.tolist() if run[0] < at + 6 and run[0] + run[1] > at]
    start, end = min(run[2] for run in parts), max(run[3] for run in parts)
    assert b"wisdom" in base64.b64decode(text[start:end])
    assert end - start <= 16


def test_numbers_that_two_codes_read_are_read_as_words() -> None:
    text = " ".join(map(str, TEXT.upper().encode()))
    reading = _core.read_as("decoded", text, KNOWN)
    assert reading is not None and TEXT.upper() in reading[0]


noise = random.Random(7)
ORDINARY = {
    "prose": TEXT * 20,
    "Russian": "Все счастливые семьи похожи друг на друга. " * 50,
    "Greek": "Μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος οὐλομένην. " * 50,
    "Arabic": "كان يا ما كان في قديم الزمان وسالف العصر والأوان " * 50,
    "Hebrew": "בראשית ברא אלהים את השמים ואת הארץ " * 50,
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में " * 50,
    "Chinese": "我们的生活非常美好而且充满希望。" * 50,
    "emoji": "🍌🎉👩‍👩‍👧 " * 50,
    "an image": "data:image/png;base64," + base64.b64encode(noise.randbytes(100_000)).decode(),
    "hashes": "\n".join(noise.randbytes(32).hex() for _ in range(500)),
    "a source map": ";".join("AAAA,CAACA,SAASC" + "GQ" * (i % 9) for i in range(500)),
    "numbers": " ".join(str(noise.randrange(32, 127)) for _ in range(5000)),
    "rules": ("-" * 70 + "\n" + "=" * 70 + "\n") * 20,
    "a table": "| --- | --- | --- |\n" * 100,
    "leaders": "".join(f"Chapter {i} {'.' * 50} {i * 7}\n" for i in range(50)),
    "identifiers": "a_very_long_identifier_of_some_function_in_a_test AndOneInCamelCaseToo " * 50,
    "bits": " ".join(str(noise.randrange(2)) for _ in range(5000)),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_is_no_text_in_code_stays(kind: str) -> None:
    assert _core.read_as("decoded", ORDINARY[kind], NOTHING) is None
    assert _core.read_as("decoded", ORDINARY[kind], KNOWN) is None


MEGABYTE = 1 << 20
HOSTILE = {
    "one letter": "V" * MEGABYTE,
    "one cell": "⠁" * (MEGABYTE // 3),
    "blanks": "4" + " " * MEGABYTE,
    "far apart": ("4" + " " * 63) * (MEGABYTE // 64),
    "dashes": "- " * (MEGABYTE // 2),
    "bits": "0 1 " * (MEGABYTE // 4),
    "hex of one letter": "41 " * (MEGABYTE // 3),
    "a name": "alfa " * (MEGABYTE // 5),
    "markup": "<&(" * (MEGABYTE // 3),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_takes_linear_time(kind: str) -> None:
    began = time.process_time()
    _core.read_as("decoded", HOSTILE[kind], KNOWN)
    assert time.process_time() - began < 20  # .02-.15 s, more under sanitizers


def test_code_within_code_is_read_to_the_last() -> None:
    text = TEXT
    for _ in range(8):
        text = base64.b64encode(text.encode()).decode()
    reading = _core.read_as("decoded", text, NOTHING)
    assert reading is not None and TEXT in reading[0]


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
            st.tuples(st.sampled_from(sorted(CODES)), st.integers(20, len(TEXT))).map(
                lambda drawn: CODES[drawn[0]](TEXT[: drawn[1]].encode())
            ),
        ),
        max_size=4,
    )
)
def test_reading_reads_as_itself(parts: list[str]) -> None:
    text = "".join(parts)
    reading = _core.read_as("decoded", text, KNOWN)
    if reading is not None:
        read, runs = reading
        assert len(read.encode()) <= 4 * len(text.encode())
        assert _core.read_as("decoded", read, KNOWN) is None
        check_runs(text, read, runs.tolist())

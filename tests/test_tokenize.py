"""Words, folded, hashed and located: what a text's tokens are and what never changes them."""

import importlib.util
import re
import unicodedata
from pathlib import Path

import numpy as np
import oracle
import pytest
import xxhash
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dedup import _core

SAME_UNICODE = _core.unicode_version() == unicodedata.unidata_version
SPLIT_BY_NFKD = "´΄᾽᾿῾"  # apostrophes, yet NFKD makes a space of them


def is_stable(character: str) -> bool:
    """Known to this Python's Unicode and to the tables' alike; surrogates are no text."""
    if unicodedata.category(character) == "Cs":
        return False
    return SAME_UNICODE or unicodedata.ucd_3_2_0.category(character) != "Cn"


def spans(text: str | bytes) -> list[tuple[int, int]]:
    _, starts, ends = _core.tokenize(text)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


characters = st.characters(exclude_categories=["Cs"]).filter(is_stable)
pieces = st.one_of(
    st.text(characters, max_size=4),
    st.text("abcXYZ019", min_size=1, max_size=12),
    st.text("ab", min_size=1, max_size=3).map(lambda word: word * 50),
    st.sampled_from(list(" \t\n.,;-_/\"'`’\x00\x07\x7f\x85\u00a0")),
    st.sampled_from(
        ["\u200b", "\u200d", "\ufe0f", "\u00ad", "\u2800", "\u3164", "\u034f", "\U000e0041"]
    ),
    st.sampled_from(["\u0301", "\u0345", "\u20e3", "\u093e", "\u302e"]),
    st.sampled_from(
        ["한국어", unicodedata.normalize("NFD", "한국어"), "ㅎㅏㄴ", "日本語", "ﾊﾟ", "ภาษาไทย"]
    ),
    st.sampled_from(["ﬃ", "ŉ", "½", "⑴", "㏂", "ﷺ", "ß", "İ", "ς", "𝐛", "ｆ", "①", "🅰", "❿"]),
    st.sampled_from(["👩‍👩‍👧", "🇫🇷", "👍🏽", "—", "…", "“", "”"]),
)
# Up to the edges of the 64-byte blocks and of the chunks.
padding = st.one_of(st.just(0), st.integers(0, 130), st.integers(4096 - 70, 4096 + 70))


@st.composite
def texts(draw: st.DrawFn) -> str:
    before = "word " * (draw(padding) // 5) + "x" * draw(st.integers(0, 5))
    return before + "".join(draw(st.lists(pieces, max_size=20)))


# ---- against the oracle


@given(texts())
@example("")
@example("a" * 64)
@example("a" * 63 + "'b")
@example("\x00" * 200 + "a")
def test_tokens_and_spans_are_the_oracles(text: str) -> None:
    expected = oracle.tokens(text)
    assert _core.normalised_tokens(text) == [token for token, _, _ in expected]
    assert spans(text) == [(start, end) for _, start, end in expected]


@given(texts())
def test_hash_is_xxh3_of_the_normalised_token(text: str) -> None:
    hashes, starts, ends = _core.tokenize(text)
    assert (hashes.dtype, starts.dtype, ends.dtype) == (np.uint64, np.uint32, np.uint32)
    tokens = _core.normalised_tokens(text)
    assert hashes.tolist() == [xxhash.xxh3_64_intdigest(token.encode()) for token in tokens]


@given(texts())
def test_fast_and_portable_bodies_agree(text: str) -> None:
    for fast, portable in zip(
        _core.tokenize(text), _core.tokenize(text, portable=True), strict=True
    ):
        assert np.array_equal(fast, portable)


@given(st.integers(0, 200), st.integers(0, 127), st.integers(0, 127))
def test_every_ascii_pair_at_every_place_of_a_block(place: int, one: int, two: int) -> None:
    text = "x" * place + chr(one) + chr(two) + " y'z"
    assert spans(text) == [(start, end) for _, start, end in oracle.tokens(text)]


def test_every_code_point_does_what_the_oracle_says() -> None:
    # Of each long row of alike characters (ideographs, syllables, private use) every 97th.
    alike = re.compile("(CJK UNIFIED|TANGUT) IDEOGRAPH-|HANGUL SYLLABLE |$")
    points = [
        character
        for character in map(chr, range(0x110000))
        if is_stable(character)
        and (ord(character) % 97 == 0 or not alike.match(unicodedata.name(character, "")))
    ]
    for at in range(0, len(points), 1000):
        text = " ".join(f"a{point}b" for point in points[at : at + 1000])
        expected = oracle.tokens(text)
        assert _core.normalised_tokens(text) == [token for token, _, _ in expected]
        assert spans(text) == [(start, end) for _, start, end in expected]


@pytest.mark.skipif(not SAME_UNICODE, reason="this Python has another Unicode version")
def test_tables_are_what_the_generator_writes() -> None:
    source = Path(__file__).parent.parent / "csrc"
    spec = importlib.util.spec_from_file_location("generate", source / "generate_unicode.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.render() == (source / "unicode_tables.h").read_text()


# ---- what never changes the tokens

SENTENCE = "It was the best of times, it wasn't the worst: 12 offices fled."


def shifted(capital: int, small: int, digit: int | None = None) -> str:
    """The sentence in another alphabet of Unicode."""

    def shift(character: str) -> str:
        if "A" <= character <= "Z":
            return chr(ord(character) - ord("A") + capital)
        if "a" <= character <= "z":
            return chr(ord(character) - ord("a") + small)
        if digit is not None and "0" <= character <= "9":
            return chr(ord(character) - ord("0") + digit)
        return character

    return "".join(map(shift, SENTENCE))


def between_all(inserted: str) -> str:
    return inserted.join(SENTENCE)


SAME = {
    "all capitals": SENTENCE.upper(),
    "swapped case": SENTENCE.swapcase(),
    "fullwidth": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in SENTENCE),
    "maths bold": shifted(0x1D400, 0x1D41A, 0x1D7CE),
    "maths monospace": shifted(0x1D670, 0x1D68A, 0x1D7F6),
    "circled": shifted(0x24B6, 0x24D0),
    "parenthesised number": SENTENCE.replace("12", "⑿"),
    "squared": shifted(0x1F130, 0x1F130),
    "white on black, round": shifted(0x1F150, 0x1F150),
    "white on black, square": shifted(0x1F170, 0x1F170),
    "superscript digits": SENTENCE.replace("12", "¹²"),
    "circled digits": SENTENCE.replace("12", "①②"),
    "negative circled digits": SENTENCE.replace("12", "❶➁"),
    "one circled number": SENTENCE.replace("12", "⑫"),
    "ordinal a": SENTENCE.replace("a", "ª"),
    "long s and dotless i": SENTENCE.replace("s", "ſ").replace("i", "ı"),
    "dotted capital I": SENTENCE.replace("i", "İ"),
    "ligatures": SENTENCE.replace("ffi", "ﬃ").replace("fl", "ﬂ").replace("st", "ﬆ"),
    "combining acute": between_all("\u0301"),
    "enclosing keycap": between_all("\u20e3"),
    "iota below": between_all("\u0345"),
    "stacked marks": between_all("\u0300\u0489\u0336\u1abe"),
    "precomposed accents": SENTENCE.replace("e", "é").replace("o", "ộ"),
    "zero-width space": between_all("\u200b"),
    "zero-width joiner": between_all("\u200d"),
    "zero-width non-joiner": between_all("\u200c"),
    "word joiner": between_all("\u2060"),
    "byte order mark": between_all("\ufeff"),
    "variation selector": between_all("\ufe0f"),
    "variation selector supplement": between_all("\U000e0101"),
    "Mongolian selector": between_all("\u180b\u180e"),
    "tag characters": between_all("\U000e0061\U000e007f"),
    "reserved ignorables": between_all("\u2065\ufff0\U000e0fff"),
    "soft hyphen": between_all("\u00ad"),
    "combining grapheme joiner": between_all("\u034f"),
    "Hangul fillers": between_all("\u115f\u1160\u3164\uffa0"),
    "Khmer inherent vowels": between_all("\u17b4\u17b5"),
    "Braille blank": between_all("\u2800"),
    "null notehead": between_all("\U0001d159"),
    "bidi controls": between_all("\u202a\u2066\u200f"),
    "invisible operators": between_all("\u2061\u2062\u2063\u2064"),
    "control characters": between_all("\x00\x01\x1b\x1f\x7f\x9f"),
    "curly apostrophe": SENTENCE.replace("'", "’"),
    "left quote": SENTENCE.replace("'", "‘"),
    "modifier letter": SENTENCE.replace("'", "ʼ"),
    "prime": SENTENCE.replace("'", "ʹ"),
    "fullwidth apostrophe": SENTENCE.replace("'", "＇"),
    "backtick": SENTENCE.replace("'", "`"),
    "acute accent": SENTENCE.replace("'", "´"),
    "dropped apostrophe": SENTENCE.replace("'", ""),
    "apostrophe and zero width": SENTENCE.replace("'", "\u200b’\u200b"),
    "no-break spaces": SENTENCE.replace(" ", "\u00a0"),
    "thin, ideographic, line": SENTENCE.replace(" ", "\u2009\u3000\u2028"),
    "every space": SENTENCE.replace(" ", "\u1680\u2000\u200a\u202f\u205f\u0085\t\r\n\v\f"),
    "dashes and emoji for spaces": SENTENCE.replace(" ", "—👩‍👩‍👧…_"),
    "quotation marks": SENTENCE.replace(" ", "” “"),
    "spaces at the ends": f"\n  {SENTENCE} \t",
}


@pytest.mark.parametrize("evasion", SAME)
def test_evasion_keeps_every_token(evasion: str) -> None:
    expected = [
        "it",
        "was",
        "the",
        "best",
        "of",
        "times",
        "it",
        "wasnt",
        "the",
        "worst",
        "12",
        "offices",
        "fled",
    ]
    assert _core.normalised_tokens(SAME[evasion]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ΌΔΟΣ οδός", ["οδοσ", "οδοσ"]),
        ("İstanbul ISTANBUL ıstanbul", ["istanbul"] * 3),
        ("foo-bar foo_bar foo\u00adbar", ["foo", "bar", "foo", "bar", "foobar"]),
        ("rock 'n' roll, the dogs' ''x''", ["rock", "n", "roll", "the", "dogs", "x"]),
        ("a''b a'b' 'a", ["a", "b", "ab", "a"]),
        ("3.14 x² ½ ㎏", ["3", "14", "x2", "1", "2", "kg"]),
        ("日本 ｶﾞ", ["日", "本", "カ"]),
        ("a日b", ["a", "日", "b"]),
        ("ไทย๑๒", ["ไท", "ย", "๑๒"]),
        ("Windowsを食べる", ["windows", "を", "食", "へる"]),
        ("مـحـمـد", ["محمد"]),
        ("हिन्दी", ["हिनदी"]),
        ("\u200b\u0301\u3164", []),
        ("👩‍👩‍👧 🇫🇷 — … ★", []),
        ("", []),
    ],
)
def test_tokens_of(text: str, expected: list[str]) -> None:
    assert _core.normalised_tokens(text) == expected


@given(texts())
def test_canonical_forms_have_the_same_tokens(text: str) -> None:
    for form in ("NFC", "NFD"):
        equal = unicodedata.normalize(form, text)
        assert _core.normalised_tokens(equal) == _core.normalised_tokens(text)


@given(texts())
def test_compatibility_forms_have_the_same_tokens(text: str) -> None:
    assume(not any(c in SPLIT_BY_NFKD for c in unicodedata.normalize("NFD", text)))
    for form in ("NFKC", "NFKD"):
        equal = unicodedata.normalize(form, text)
        assert _core.normalised_tokens(equal) == _core.normalised_tokens(text)


@given(texts())
def test_case_never_matters(text: str) -> None:
    # The capital of a vowel with iota below is two letters; in small letters the iota is a mark.
    assume("\u0345" not in unicodedata.normalize("NFD", text))
    for cased in (text.upper(), text.lower(), text.casefold(), text.title()):
        assert _core.normalised_tokens(cased) == _core.normalised_tokens(text)


@given(texts())
def test_normalised_tokens_are_their_own_tokens(text: str) -> None:
    tokens = _core.normalised_tokens(text)
    assert _core.normalised_tokens(" ".join(tokens)) == tokens


# ---- spans


@given(texts())
def test_spans_are_ordered_and_cut_between_characters(text: str) -> None:
    raw = text.encode()
    last = 0
    for start, end in spans(text):
        assert last <= start <= end <= len(raw)
        raw[start:end].decode()
        last = end


@given(texts())
def test_span_holds_its_token(text: str) -> None:
    assume(all(len(_core.normalised_tokens(character)) <= 1 for character in text))
    raw = text.encode()
    for token, (start, end) in zip(_core.normalised_tokens(text), spans(text), strict=True):
        assert _core.normalised_tokens(raw[start:end]) == [token]


def test_code_point_of_two_tokens_gives_its_bytes_to_the_first() -> None:
    assert _core.normalised_tokens("1½x") == ["11", "2x"]
    assert spans("1½x") == [(0, 3), (3, 4)]
    assert _core.normalised_tokens("½ x") == ["1", "2", "x"]
    assert spans("½ x") == [(0, 2), (2, 2), (3, 4)]


def test_span_leaves_out_what_is_deleted_around_the_word() -> None:
    assert spans("\u200bwo\u200brd\u200b\u0301") == [(3, 10)]


# ---- limits


@pytest.mark.parametrize("letter", ["a", "A", "é", "𝐚", "a\u200b"])
def test_long_run_is_cut_every_256_bytes(letter: str) -> None:
    folded = oracle.fold(letter)
    assert _core.normalised_tokens(letter * 1000) == [folded * 256] * 3 + [folded * 232]


def test_long_run_is_cut_between_characters() -> None:
    assert _core.normalised_tokens("я" * 200) == ["я" * 128, "я" * 72]
    assert _core.normalised_tokens("a" + "я" * 200) == ["a" + "я" * 127, "я" * 73]
    assert _core.normalised_tokens("a" * 255 + "ß") == ["a" * 255 + "s", "s"]
    assert spans("a" * 255 + "ß") == [(0, 257), (257, 257)]


@pytest.mark.parametrize(
    "unit", ["x", "é", "한", "'", "a'", "\u200b", "\x00", "日", "ﷺ", "a\u0301"]
)
def test_line_of_megabytes_is_read(unit: str) -> None:
    text = unit * (4_000_000 // len(unit.encode()))
    hashes, starts, ends = _core.tokenize(text)
    assert len(hashes) == len(starts) == len(ends)
    few = _core.normalised_tokens(unit * 300)
    assert _core.normalised_tokens(text)[:1] == few[:1]
    assert (ends[1:] >= starts[1:]).all() and (starts[1:] >= ends[:-1]).all()


# ---- errors

BROKEN = {
    "continuation byte alone": b"\x80",
    "overlong of two": b"\xc0\xaf",
    "overlong of two, C1": b"\xc1\xbf",
    "overlong of three": b"\xe0\x9f\xbf",
    "overlong of four": b"\xf0\x8f\xbf\xbf",
    "first surrogate": b"\xed\xa0\x80",
    "last surrogate": b"\xed\xbf\xbf",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "F5": b"\xf5\x80\x80\x80",
    "FE": b"\xfe",
    "FF": b"\xff",
    "two bytes, cut": b"\xc3",
    "three bytes, cut to one": b"\xe2",
    "three bytes, cut to two": b"\xe2\x82",
    "four bytes, cut to one": b"\xf0",
    "four bytes, cut to two": b"\xf0\x9f",
    "four bytes, cut to three": b"\xf0\x9f\x98",
    "no continuation": b"\xc3(",
    "no second continuation": b"\xe2\x82(",
    "no third continuation": b"\xf0\x9f\x98(",
    "lead after lead": b"\xc3\xc3\xa9",
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize(
    "before", ["", "a", "word ", "é", "x" * 63, "y " * 40, "日本" * 50, "z" * 5000]
)
@pytest.mark.parametrize("after", ["", " and so on, for more than eight bytes"])
def test_invalid_utf8_is_refused_with_its_offset(kind: str, before: str, after: str) -> None:
    raw = before.encode() + BROKEN[kind] + after.encode()
    with pytest.raises(UnicodeDecodeError) as expected:
        raw.decode()
    for portable in (False, True):
        with pytest.raises(ValueError, match=f"invalid UTF-8 at byte {expected.value.start}: "):
            _core.tokenize(raw, portable=portable)
    with pytest.raises(ValueError, match="invalid UTF-8"):
        _core.normalised_tokens(raw)


@given(st.binary(max_size=100), st.integers(0, 70))
def test_bytes_are_refused_exactly_where_python_refuses_them(raw: bytes, place: int) -> None:
    raw = b"x" * place + raw
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        with pytest.raises(ValueError, match=f"invalid UTF-8 at byte {error.start}: "):
            _core.tokenize(raw)
    else:
        assert spans(raw) == spans(text)


def test_lone_surrogate_in_str_is_refused_with_its_position() -> None:
    with pytest.raises(ValueError, match="position 3: surrogates not allowed"):
        _core.tokenize("abc\ud800d")


def test_text_is_str_or_bytes() -> None:
    with pytest.raises(TypeError, match="expected str or bytes, got int"):
        _core.tokenize(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected str or bytes, got list"):
        _core.tokenize_batch(["a", []])  # type: ignore[list-item]


# ---- batches


@given(st.lists(st.one_of(texts(), texts().map(str.encode)), max_size=5))
def test_batch_is_each_text_by_itself(batch: list[str | bytes]) -> None:
    hashes, starts, ends, offsets = _core.tokenize_batch(batch)
    assert offsets[0] == 0 and offsets[-1] == len(hashes) and len(offsets) == len(batch) + 1
    for text, begin, end in zip(batch, offsets[:-1], offsets[1:], strict=True):
        alone = _core.tokenize(text)
        for part, whole in zip(alone, (hashes, starts, ends), strict=True):
            assert np.array_equal(part, whole[begin:end])


def test_batch_names_the_text_that_is_broken() -> None:
    with pytest.raises(ValueError, match="text 1: invalid UTF-8 at byte 2: overlong sequence"):
        _core.tokenize_batch([b"fine", b"ab\xc0\xaf", b"\xff"])

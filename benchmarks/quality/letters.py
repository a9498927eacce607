"""Letters that look alike, or are not looked at: rows 1, 4-11 and 23 of the matrix.

The tables are the attacker's, made for this purpose and not from those of the normaliser.
"""

import re
import string
from collections.abc import Callable, Sequence

from .attack import Dice, Edit

__all__ = [
    "COMBINING",
    "LEET",
    "LOOKALIKES_CYRILLIC",
    "LOOKALIKES_OTHER",
    "alternating",
    "between_letters",
    "capitals",
    "curly",
    "dashed",
    "fullwidth",
    "humped",
    "in_alphabet",
    "isolated",
    "joined",
    "ligatures",
    "marked",
    "mirrored",
    "overridden",
    "punctuated",
    "random_case",
    "reversed_text",
    "reversed_words",
    "small_capitals",
    "spaced",
    "stripped",
    "swapped_case",
    "through",
    "typos",
    "upside_down",
    "without_vowels",
]

LOOKALIKES_CYRILLIC = dict(
    zip("aceopxyijshdqwABCEHKMOPTXvn", "асеорхуіјѕһԁԛԝАВСЕНКМОРТХνո", strict=True)
)
# Armenian, Greek, Cherokee, and Latin letters of other languages.
LOOKALIKES_OTHER = dict(zip("aghnoqulfiyDHSTGWZ", "ɑɡհոօզսӏғıγᎠᎻᏚᎢᏀᎳᏃ", strict=True))
_SMALL_CAPITALS = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
LEET = dict(zip("aeiostbgl", "431057891", strict=True))
_UPSIDE_DOWN = dict(zip("abcdefghijklmnopqrtuvwy", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹʇnʌʍʎ", strict=True))
_LIGATURES = (("ffi", "ﬃ"), ("ffl", "ﬄ"), ("ff", "ﬀ"), ("fi", "ﬁ"), ("fl", "ﬂ"), ("st", "ﬆ"))
COMBINING = "".join(map(chr, range(0x300, 0x370)))
_PUNCTUATION = ",;:.!?—…·"
_CURLY = str.maketrans({"'": "’", '"': "”", ",": "，", ".": "。", "-": "–", ";": "；"})


def through(table: dict[str, str]) -> Edit:
    """Letters that are in the table, at a rate."""
    return lambda text, rate, dice: "".join(
        table[letter] if letter in table and dice.hits(rate) else letter for letter in text
    )


def small_capitals(text: str, rate: float, dice: Dice) -> str:
    return through(_SMALL_CAPITALS)(text.lower(), rate, dice)


def upside_down(text: str, strength: float, dice: Dice) -> str:
    return through(_UPSIDE_DOWN)(text.lower(), 1, dice)[::-1]


# ---- case and punctuation


def capitals(text: str, strength: float, dice: Dice) -> str:
    return text.upper()


def swapped_case(text: str, strength: float, dice: Dice) -> str:
    return text.swapcase()


def alternating(text: str, strength: float, dice: Dice) -> str:
    return "".join(c.upper() if n % 2 else c.lower() for n, c in enumerate(text))


def random_case(text: str, rate: float, dice: Dice) -> str:
    return "".join(c.swapcase() if dice.hits(rate) else c for c in text)


def stripped(text: str, strength: float, dice: Dice) -> str:
    """Without punctuation; what it alone divided is joined by a space, apostrophes are gone."""
    return re.sub(r"[^\w\s]|_", " ", re.sub(r"['’]", "", text))


def punctuated(text: str, rate: float, dice: Dice) -> str:
    return " ".join(w + dice.choice(_PUNCTUATION) if dice.hits(rate) else w for w in text.split())


def dashed(text: str, rate: float, dice: Dice) -> str:
    """Dashes and dots where spaces were."""
    first, *rest = text.split()
    return first + "".join(
        (dice.choice("—-…/") if dice.hits(rate) else " ") + word for word in rest
    )


def curly(text: str, strength: float, dice: Dice) -> str:
    return text.translate(_CURLY)


# ---- between and upon letters


def between_letters(signs: str | Sequence[str]) -> Edit:
    """One of the signs after a letter, at a rate."""
    return lambda text, rate, dice: "".join(
        letter + dice.choice(signs) if letter.isalpha() and dice.hits(rate) else letter
        for letter in text
    )


def marked(text: str, rate: float, dice: Dice) -> str:
    return between_letters(COMBINING)(text, rate, dice)


def fullwidth(text: str, rate: float, dice: Dice) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and dice.hits(rate) else c for c in text)


def in_alphabet(upper: int, lower: int) -> Edit:
    """Letters of a mathematical or enclosed alphabet, by where its capitals and smalls begin."""
    table = {c: chr(upper + n) for n, c in enumerate(string.ascii_uppercase)}
    table |= {c: chr(lower + n) for n, c in enumerate(string.ascii_lowercase)}
    return through(table)


def ligatures(text: str, strength: float, dice: Dice) -> str:
    for letters, one in _LIGATURES:
        text = text.replace(letters, one)
    return text


# ---- direction


def overridden(text: str, strength: float, dice: Dice) -> str:
    """Backwards, between signs that turn it round on the screen."""
    return "\u202e" + text[::-1] + "\u202c"


def mirrored(text: str, strength: float, dice: Dice) -> str:
    """Word by word backwards, each between signs that turn it round on the screen."""
    return " ".join(f"\u202e{word[::-1]}\u202c" for word in text.split())


def isolated(text: str, strength: float, dice: Dice) -> str:
    """Line by line backwards, each turned round inside an isolate."""
    words = text.split()
    lines = (" ".join(words[at : at + 10]) for at in range(0, len(words), 10))
    return "\n".join(f"\u2066\u202e{line[::-1]}\u202c\u2069" for line in lines)


def reversed_text(text: str, strength: float, dice: Dice) -> str:
    return text[::-1]


def reversed_words(text: str, strength: float, dice: Dice) -> str:
    return " ".join(word[::-1] for word in text.split())


# ---- spaces


def spaced(sign: str, between_words: str) -> Edit:
    """A sign between the letters of a word, at a rate."""
    return lambda text, rate, dice: between_words.join(
        sign.join(word) if dice.hits(rate) else word for word in text.split()
    )


def humped(text: str, size: float, dice: Dice) -> str:
    """So many words as one, each with a capital."""
    words, step = [word[:1].upper() + word[1:] for word in text.split()], int(size)
    return " ".join("".join(words[at : at + step]) for at in range(0, len(words), step))


def joined(text: str, size: float, dice: Dice) -> str:
    """So many words as one; 0 for all."""
    words = text.split()
    step = int(size) or len(words)
    return " ".join("".join(words[at : at + step]) for at in range(0, len(words), step))


# ---- noise


def typos(text: str, rate: float, dice: Dice) -> str:
    """A letter lost, doubled, replaced or exchanged with the next in so many of the words."""
    return " ".join(_mistyped(w, dice) if dice.hits(rate) else w for w in text.split())


def without_vowels(text: str, strength: float, dice: Dice) -> str:
    return re.sub(r"(?i)(?<=\w)[aeiou]", "", text)


def _mistyped(word: str, dice: Dice) -> str:
    at = dice.randrange(len(word))
    changes: list[Callable[[], str]] = [
        lambda: word[:at] + word[at + 1 :],
        lambda: word[: at + 1] + word[at:],
        lambda: word[:at] + dice.choice(string.ascii_lowercase) + word[at + 1 :],
        lambda: word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
    ]
    return dice.choice(changes)() or word

"""A passage as something a reader has to decode: rows 16 and 17 of the matrix."""

import base64
import codecs
import string
import zlib

from .attack import Dice

__all__ = [
    "as_base32",
    "as_base64",
    "as_base85",
    "as_binary",
    "as_hex",
    "as_morse",
    "as_pig_latin",
    "as_rot13",
    "as_shifted",
    "as_spelled",
    "as_zlib",
    "by_own_cipher",
]

_MORSE = dict(
    zip(
        string.ascii_lowercase,
        (
            *(".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-.."),
            *("--", "-.", "---", ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-"),
            *("-.--", "--.."),
        ),
        strict=True,
    )
)
_NATO = {
    name[0].lower(): name
    for name in (
        *("Alfa", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India"),
        *("Juliett", "Kilo", "Lima", "Mike", "November", "Oscar", "Papa", "Quebec", "Romeo"),
        *("Sierra", "Tango", "Uniform", "Victor", "Whiskey", "Xray", "Yankee", "Zulu"),
    )
}


def as_base64(text: str, times: float, dice: Dice) -> str:
    data = text.encode()
    for _ in range(int(times)):
        data = base64.b64encode(data)
    return data.decode()


def as_base32(text: str, strength: float, dice: Dice) -> str:
    return base64.b32encode(text.encode()).decode()


def as_base85(text: str, strength: float, dice: Dice) -> str:
    return base64.b85encode(text.encode()).decode()


def as_hex(text: str, strength: float, dice: Dice) -> str:
    return text.encode().hex()


def as_rot13(text: str, strength: float, dice: Dice) -> str:
    return codecs.encode(text, "rot13")


def as_shifted(text: str, shift: float, dice: Dice) -> str:
    lower, upper, by = string.ascii_lowercase, string.ascii_uppercase, int(shift)
    moved = lower[by:] + lower[:by] + upper[by:] + upper[:by]
    return text.translate(str.maketrans(lower + upper, moved))


def by_own_cipher(text: str, strength: float, dice: Dice) -> str:
    """Letters exchanged by a random table."""
    letters = list(string.ascii_lowercase)
    dice.shuffle(letters)
    return text.lower().translate(str.maketrans(string.ascii_lowercase, "".join(letters)))


def as_morse(text: str, strength: float, dice: Dice) -> str:
    return _spelled(text, _MORSE, " / ")


def as_spelled(text: str, strength: float, dice: Dice) -> str:
    """The NATO alphabet."""
    return _spelled(text, _NATO, ", ")


def _spelled(text: str, table: dict[str, str], between: str) -> str:
    words = (" ".join(table[c] for c in word if c in table) for word in text.lower().split())
    return between.join(word for word in words if word)


def as_binary(text: str, strength: float, dice: Dice) -> str:
    return " ".join(f"{byte:08b}" for byte in text.encode())


def as_pig_latin(text: str, strength: float, dice: Dice) -> str:
    return " ".join(map(_pig_latin, text.split()))


def _pig_latin(word: str) -> str:
    letters = word.strip(string.punctuation)
    if not letters:
        return word
    first = next((n for n, c in enumerate(letters) if c.lower() in "aeiou"), 0)
    return word.replace(letters, letters[first:] + letters[:first] + ("ay" if first else "way"))


def as_zlib(text: str, strength: float, dice: Dice) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()

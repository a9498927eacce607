"""A passage as something a reader has to decode: rows 16 and 17 of the matrix."""

import base64
import binascii
import codecs
import string
import textwrap
import zlib

from .attack import Dice

__all__ = [
    "as_ascii85",
    "as_base32",
    "as_base64",
    "as_base64_backwards",
    "as_base64_of_urls",
    "as_base85",
    "as_binary",
    "as_codes",
    "as_hex",
    "as_hex_bytes",
    "as_morse",
    "as_pig_latin",
    "as_quoted_printable",
    "as_rot13",
    "as_rot47",
    "as_shifted",
    "as_spelled",
    "as_uu",
    "as_wrapped_base64",
    "as_zlib",
    "by_atbash",
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


def as_wrapped_base64(text: str, width: float, dice: Dice) -> str:
    """In lines, as mail has it."""
    return "\n" + textwrap.fill(as_base64(text, 1, dice), int(width)) + "\n"


def as_base64_of_urls(text: str, strength: float, dice: Dice) -> str:
    """With ``-`` and ``_``, and nothing to fill it up."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def as_base64_backwards(text: str, strength: float, dice: Dice) -> str:
    return as_base64(text, 1, dice)[::-1]


def as_base32(text: str, strength: float, dice: Dice) -> str:
    return base64.b32encode(text.encode()).decode()


def as_base85(text: str, strength: float, dice: Dice) -> str:
    return base64.b85encode(text.encode()).decode()


def as_ascii85(text: str, strength: float, dice: Dice) -> str:
    """Between ``<~`` and ``~>``, as PostScript has it."""
    return base64.a85encode(text.encode(), adobe=True).decode()


def as_uu(text: str, strength: float, dice: Dice) -> str:
    data = text.encode()
    lines = [binascii.b2a_uu(data[at : at + 45]).decode() for at in range(0, len(data), 45)]
    return "\nbegin 644 text\n" + "".join(lines) + "`\nend\n"


def as_quoted_printable(text: str, strength: float, dice: Dice) -> str:
    """Every letter and sign as ``=57``, in lines that end in ``=``."""
    codes = [f"={byte:02X}" if byte != 0x20 else " " for byte in text.encode()]
    return "=\n".join("".join(codes[at : at + 25]) for at in range(0, len(codes), 25))


def as_hex_bytes(text: str, strength: float, dice: Dice) -> str:
    return text.encode().hex(" ").upper()


def as_codes(text: str, strength: float, dice: Dice) -> str:
    """Numbers of characters."""
    return " ".join(str(ord(character)) for character in text)


def as_hex(text: str, strength: float, dice: Dice) -> str:
    return text.encode().hex()


def as_rot13(text: str, strength: float, dice: Dice) -> str:
    return codecs.encode(text, "rot13")


def as_shifted(text: str, shift: float, dice: Dice) -> str:
    lower, upper, by = string.ascii_lowercase, string.ascii_uppercase, int(shift)
    moved = lower[by:] + lower[:by] + upper[by:] + upper[:by]
    return text.translate(str.maketrans(lower + upper, moved))


def as_rot47(text: str, strength: float, dice: Dice) -> str:
    return "".join(chr(33 + (ord(c) - 33 + 47) % 94) if "!" <= c <= "~" else c for c in text)


def by_atbash(text: str, strength: float, dice: Dice) -> str:
    """Z for a, y for b."""
    letters = string.ascii_lowercase
    return text.lower().translate(str.maketrans(letters, letters[::-1]))


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

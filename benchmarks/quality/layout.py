"""Lines, prefixes and markup around words: rows 2, 3 and 15 of the matrix."""

import html
import json
import textwrap
from collections.abc import Callable
from urllib.parse import quote

from .attack import Dice, Edit

__all__ = [
    "bulleted",
    "commented",
    "csv_cells",
    "each_letter",
    "each_word",
    "hyphenated",
    "in_html_table",
    "in_json",
    "in_json_array",
    "in_strings",
    "in_table",
    "in_table_by_column",
    "inside_words",
    "numbered",
    "prefixed",
    "rewrapped",
    "url_encoded",
    "white_space",
]

_WHITE_SPACE = ("  ", "\t", "\n", "\n\n", "\u00a0", "\u2003", "\u2028", "\r\n")


def _lines(text: str, size: float) -> list[str]:
    """So many words each."""
    words, step = text.split(), int(size)
    return [" ".join(words[at : at + step]) for at in range(0, len(words), step)]


def _block(lines: list[str]) -> str:
    return "\n" + "\n".join(lines) + "\n"


# ---- white space


def rewrapped(text: str, width: float, dice: Dice) -> str:
    return _block(textwrap.wrap(" ".join(text.split()), int(width), break_on_hyphens=False))


def hyphenated(text: str, width: float, dice: Dice) -> str:
    """Filled to the width, words of five letters or more cut at the end of a line."""
    lines, line = [], ""
    for word in text.split():
        room = int(width) - len(line) - 2
        if len(line) + 1 + len(word) > width and len(word) >= 5 and 2 <= room <= len(word) - 2:
            lines.append(f"{line} {word[:room]}-".strip())
            line = word[room:]
        elif len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return _block([*lines, line])


def white_space(text: str, strength: float, dice: Dice) -> str:
    """Tabs, line ends, no-break and other spaces where spaces were."""
    first, *rest = text.split()
    return first + "".join(dice.choice(_WHITE_SPACE) + word for word in rest)


# ---- prefixes


def prefixed(prefix: str) -> Edit:
    """The prefix before each line of so many words."""
    return lambda text, size, dice: _block([prefix + line for line in _lines(text, size)])


def numbered(form: str) -> Edit:
    """The number of the line before it, as the form says."""

    def edit(text: str, size: float, dice: Dice) -> str:
        first = dice.randint(1, 400)
        return _block([form.format(first + n) + line for n, line in enumerate(_lines(text, size))])

    return edit


# ---- markup


def each_word(form: str) -> Edit:
    """The form around each word, at a rate."""
    return lambda text, rate, dice: " ".join(
        form.format(word) if dice.hits(rate) else word for word in text.split()
    )


def inside_words(form: str) -> Edit:
    """The form around the first half of a word, at a rate: ``**wo**rd``."""
    return lambda text, rate, dice: " ".join(
        form.format(word[: len(word) // 2]) + word[len(word) // 2 :]
        if len(word) > 1 and dice.hits(rate)
        else word
        for word in text.split()
    )


def each_letter(write: Callable[[str], str]) -> Edit:
    """Letters written another way, at a rate."""
    return lambda text, rate, dice: "".join(
        write(c) if c.isalpha() and dice.hits(rate) else c for c in text
    )


def commented(text: str, rate: float, dice: Dice) -> str:
    """An HTML comment in a word, at a rate."""
    return inside_words("{}<!-- x -->")(html.escape(text), rate, dice)


def url_encoded(text: str, strength: float, dice: Dice) -> str:
    return quote(text)


def in_json(text: str, strength: float, dice: Dice) -> str:
    """A JSON string, as ASCII, escaped once more at each step."""
    for _ in range(int(strength)):
        text = json.dumps(text)
    return text


def in_json_array(text: str, strength: float, dice: Dice) -> str:
    """A string for each word."""
    return json.dumps(text.split(), indent=2)


def in_strings(text: str, size: float, dice: Dice) -> str:
    """Strings of so many characters, put together as code does."""
    step = int(size)
    pieces = [json.dumps(text[at : at + step]) for at in range(0, len(text), step)]
    return _block(["text = (", *(f"    {piece} +" for piece in pieces), '    "")'])


def in_html_table(text: str, columns: float, dice: Dice) -> str:
    """With a word a cell, to be read row by row."""
    rows = [
        "<tr>" + "".join(f"<td>{html.escape(word)}</td>" for word in line.split()) + "</tr>"
        for line in _lines(text, columns)
    ]
    return _block(["<table>", *rows, "</table>"])


def bulleted(text: str, size: float, dice: Dice) -> str:
    return _block(["- " + line for line in _lines(text, size)])


def csv_cells(text: str, strength: float, dice: Dice) -> str:
    return _block([",".join(f'"{word}"' for word in line.split()) for line in _lines(text, 6)])


def in_table(text: str, columns: float, dice: Dice) -> str:
    """A Markdown table with a word a cell, to be read row by row."""
    rows = ["| " + " | ".join(line.split()) + " |" for line in _lines(text, columns)]
    return _block([rows[0], "|---" * int(columns) + "|", *rows[1:]])


def in_table_by_column(text: str, columns: float, dice: Dice) -> str:
    """A Markdown table with a word a cell, to be read column by column."""
    words, width = text.split(), int(columns)
    height = -(-len(words) // width)
    rows = ["| " + " | ".join(words[row::height]) + " |" for row in range(height)]
    return _block([rows[0], "|---" * width + "|", *rows[1:]])

"""Words of a passage replaced, put in, left out, moved: rows 12-14 and 21 of the matrix."""

import math
import re
from collections.abc import Callable

from .attack import Dice, Edit

__all__ = [
    "WordEdit",
    "delete",
    "every",
    "every_nth_is_it",
    "filler",
    "fillers",
    "insert",
    "insert_every",
    "interleaved",
    "of_words",
    "omitted",
    "sentences_shuffled",
    "shuffle",
    "substitute",
]

WordEdit = Callable[[list[str], float, Dice], list[str]]

_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+")


def of_words(edit: WordEdit) -> Edit:
    """The edit of a text, whose white space is lost."""
    return lambda text, strength, dice: " ".join(edit(text.split(), strength, dice))


def substitute(words: list[str], rate: float, dice: Dice) -> list[str]:
    return [dice.word() if dice.random() < rate else word for word in words]


def insert(words: list[str], rate: float, dice: Dice) -> list[str]:
    return [
        word
        for original in words
        for word in ([original, dice.word()] if dice.random() < rate else [original])
    ]


def delete(words: list[str], rate: float, dice: Dice) -> list[str]:
    return [word for word in words if dice.random() >= rate]


def every(words: list[str], period: float, dice: Dice) -> list[str]:
    return [
        dice.word() if number % period == period - 1 else word for number, word in enumerate(words)
    ]


def insert_every(words: list[str], period: float, dice: Dice) -> list[str]:
    return [
        word
        for number, original in enumerate(words)
        for word in ([original, dice.word()] if number % period == period - 1 else [original])
    ]


def shuffle(words: list[str], longest: float, dice: Dice) -> list[str]:
    """Chunks of half to the whole of `longest` words, in random order."""
    chunks = []
    while words:
        size = dice.randint(math.ceil(longest / 2), int(longest))
        chunks.append(words[:size])
        words = words[size:]
    dice.shuffle(chunks)
    return [word for chunk in chunks for word in chunk]


def sentences_shuffled(text: str, strength: float, dice: Dice) -> str:
    sentences = _SENTENCE_END.split(text)
    dice.shuffle(sentences)
    return " ".join(sentences)


def omitted(text: str, rate: float, dice: Dice) -> str:
    """Stretches of four to twelve words give way to ``[…]`` until so many are gone."""
    words: list[str | None] = list(text.split())
    while words.count(None) < rate * len(words):
        size = dice.randint(4, 12)
        at = dice.randrange(max(1, len(words) - size))
        words[at : at + size] = [None] * len(words[at : at + size])
    shown: list[str] = []
    for word in words:
        if word is not None:
            shown.append(word)
        elif not shown or shown[-1] != "[…]":
            shown.append("[…]")
    return " ".join(shown)


def filler(mark: str) -> WordEdit:
    """The same word or sign after every n-th word."""

    def edit(words: list[str], period: float, dice: Dice) -> list[str]:
        return [
            f"{word} {mark}" if number % period == period - 1 else word
            for number, word in enumerate(words)
        ]

    return edit


def fillers(words: list[str], most: float, dice: Dice) -> list[str]:
    """One to `most` random words between any two."""
    return [
        word
        for original in words
        for word in [original, *(dice.word() for _ in range(dice.randint(1, int(most))))]
    ]


def every_nth_is_it(words: list[str], period: float, dice: Dice) -> list[str]:
    """The passage as every n-th word of another text."""
    return [
        word
        for original in words
        for word in [*(dice.word() for _ in range(int(period) - 1)), original]
    ]


def interleaved(words: list[str], size: float, dice: Dice) -> list[str]:
    """So many words in turn of the passage and of a run of other text."""
    start = dice.randrange(len(dice.vocabulary) - len(words))
    other = dice.vocabulary[start : start + len(words)]
    step = int(size)
    return [
        word
        for at in range(0, len(words), step)
        for word in [*words[at : at + step], *other[at : at + step]]
    ]

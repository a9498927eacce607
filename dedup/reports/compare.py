"""Two passages word by word: what is the same, what was changed, added and left out.

Takes the passage of a protected document and the passage that copies it, gives both as Pieces that
say what became of them. The alignment is the global one of Needleman and Wunsch (1970) over words
and signs, white space left out; of equal scores the same one is always taken.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Change", "Comparison", "Piece", "compare"]

Change = Literal["same", "renamed", "changed", "only"]

# Words, with the underscores and digits of names, and single signs.
_TOKEN: Final = re.compile(r"[^\W\d]\w*|\w+|[^\w\s]")

_EQUAL: Final = 4
_EQUAL_SIGN: Final = 2  # a comma agrees easily
_RENAMED: Final = 3
_CHANGED: Final = -1  # one word for another: better than one gone and one new
_UNLIKE: Final = -9  # a word is not changed into a sign
_GAP: Final = -2

# The matrix takes 4 bytes a pair: this is 36 MB and some 100 ms.
_MAX_TOKENS: Final = 3000


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one side: `only` there, or `same`, `renamed`, `changed` on the other."""

    text: str
    change: Change


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, whole, in pieces; and which name became which, the most frequent first."""

    original: tuple[Piece, ...]
    copy: tuple[Piece, ...]
    renamed: tuple[tuple[str, str], ...]


def compare(
    original: str, copy: str, *, is_renamed: bool = False, is_cut: bool = False
) -> Comparison:
    """The two passages, aligned.

    Parameters
    ----------
    original, copy : str
        Letter case counts as no change, except in code.
    is_renamed : bool
        The copy is code under other names: a name in the place of another is `renamed`.
    is_cut : bool
        The copy goes on beyond what is given, so the end of the original that nothing in the copy
        answers to is dropped.
    """
    left, right = (_tokens(side, is_renamed) for side in (original, copy))
    pairs = _aligned(left, right, is_renamed)
    shared = {token for token, *_ in left} & {token for token, *_ in right}
    changes: tuple[list[Change], list[Change]] = (["only"] * len(left), ["only"] * len(right))
    names: Counter[tuple[str, str]] = Counter()
    for i, j in pairs:
        one, other = left[i][0], right[j][0]
        change: Change = "changed"
        if one == other:
            change = "same"
        elif is_renamed and _is_name(one) and _is_name(other) and not {one, other} <= shared:
            change = "renamed"
            names[one, other] += 1
        changes[0][i] = changes[1][j] = change
    if is_cut:
        last = next((i for i in range(len(left), 0, -1) if changes[0][i - 1] != "only"), 0)
        original = original[: left[last - 1][2]] if last else ""
        left = left[:last]
    return Comparison(
        _pieces(original, left, changes[0]),
        _pieces(copy, right, changes[1]),
        tuple(pair for pair, _ in names.most_common()),
    )


_Token = tuple[str, int, int]  # what is compared, and where it stands


def _tokens(text: str, is_code: bool) -> list[_Token]:
    return [
        (found[0] if is_code else found[0].casefold(), *found.span())
        for found in _TOKEN.finditer(text)
    ]


def _is_name(token: str) -> bool:
    return token[0].isalpha() or token[0] == "_"


def _aligned(left: list[_Token], right: list[_Token], is_renamed: bool) -> list[tuple[int, int]]:
    """Pairs of tokens that answer to each other, in order."""
    left, right = left[:_MAX_TOKENS], right[:_MAX_TOKENS]
    if not left or not right:
        return []
    return _best(_similarity(left, right, is_renamed))


def _similarity(left: list[_Token], right: list[_Token], is_renamed: bool) -> NDArray[np.int8]:
    numbers: dict[str, int] = {}
    ids = [
        np.array([numbers.setdefault(token, len(numbers)) for token, *_ in side], np.int32)
        for side in (left, right)
    ]
    words = np.array([token[0].isalnum() or token[0] == "_" for token in numbers])
    names = np.array([_is_name(token) for token in numbers])
    # What both sides have is a keyword or kept its name.
    shared = np.zeros(len(numbers), bool)
    shared[np.intersect1d(ids[0], ids[1])] = True
    free = names & ~shared
    a, b = ids[0][:, None], ids[1][None, :]
    scores = np.where(words[a] == words[b], _CHANGED, _UNLIKE).astype(np.int8)
    if is_renamed:
        scores[free[a] & free[b]] = _RENAMED
    same = a == b
    scores[same] = _EQUAL_SIGN
    scores[same & words[a]] = _EQUAL
    return scores


def _best(similarity: NDArray[np.int8]) -> list[tuple[int, int]]:
    """The pairs of a best global alignment, gaps costing what they are long."""
    rows, columns = similarity.shape
    slope = _GAP * np.arange(columns + 1, dtype=np.int32)
    table = np.empty((rows + 1, columns + 1), np.int32)
    table[0] = slope
    for i in range(1, rows + 1):
        reached = table[i - 1] + _GAP
        np.maximum(reached[1:], table[i - 1, :-1] + similarity[i - 1], out=reached[1:])
        # Gaps along the row at once: the best start so far, paid for by distance.
        table[i] = np.maximum.accumulate(reached - slope) + slope
    pairs: list[tuple[int, int]] = []
    i, j = rows, columns
    while i and j:
        here = table[i, j]
        if here == table[i - 1, j - 1] + similarity[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif here == table[i - 1, j] + _GAP:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _pieces(text: str, tokens: list[_Token], changes: list[Change]) -> tuple[Piece, ...]:
    """The whole text; white space inside a run of one change belongs to the run."""
    runs: list[tuple[int, int, Change]] = []
    done = 0
    for (_, start, end), change in zip(tokens, changes, strict=False):
        if runs and runs[-1][2] == change and change in ("same", "only"):
            runs[-1] = (runs[-1][0], end, change)
        else:
            if start > done:
                runs.append((done, start, "same"))
            runs.append((start, end, change))
        done = end
    if done < len(text):
        runs.append((done, len(text), "same"))
    return tuple(Piece(text[start:end], change) for start, end, change in runs)

"""What of a copy gets out of a stream before it is stopped, and whether drip changes anything.

Each query is fed to ``Filter.stream`` in pieces; of what went out before the block, the part that
belongs to the copy is measured: its words, as the filter counts them, and the longest run of them
that the original has too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dedup import Filter, _core

from .interval import Rate
from .trials import PROFILES, Cell, Outcome, Trial

__all__ = ["DRIPS", "Leak", "dripped", "leak_of"]

# Characters a piece.
DRIPS = (1, 3, 17)


@dataclass(frozen=True, slots=True)
class Leak:
    """What got out of the copies that were blocked."""

    row: str
    attack: str
    strength: float
    view: str
    blocked: Rate
    words: list[int]
    runs: list[int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "attack": self.attack,
            "strength": self.strength,
            "view": self.view,
            "blocked": self.blocked.to_dict(),
            "words": _summary(self.words),
            "longest run": _summary(self.runs),
        }


def _summary(values: list[int]) -> dict[str, int]:
    if not values:
        return {}
    ranked = sorted(values)
    return {
        "p50": ranked[len(ranked) // 2],
        "p99": ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))],
        "most": ranked[-1],
    }


def leak_of(
    filter: Filter, row: str, attack: str, strength: float, view: str, trials: Sequence[Trial]
) -> Leak:
    """By the word, as a model writes."""
    words, runs = [], []
    for trial in trials:
        out, action = _streamed(filter, re.findall(r"\s*\S+\s*?", trial.query))
        if action != "block":
            continue
        released = out.encode()[trial.begin : trial.end].decode(errors="ignore")
        words.append(len(_words(released)))
        runs.append(_longest_run(_words(released), _words(trial.original)))
    return Leak(row, attack, strength, view, Rate(len(words), len(trials)), words, runs)


def dripped(filter: Filter, trials: Sequence[Trial]) -> Iterator[tuple[Cell, Rate]]:
    """By size of the pieces, the verdicts; and how often they, and all that went out, are the same
    as in one piece."""
    whole = [_streamed(filter, [trial.query]) for trial in trials]
    for size in DRIPS:
        cell = Cell("18", "characters a piece", size, "100")
        same = 0
        for trial, expected in zip(trials, whole, strict=True):
            pieces = [trial.query[at : at + size] for at in range(0, len(trial.query), size)]
            got = _streamed(filter, pieces)
            same += got == expected
            cell.outcomes.append(Outcome(got[1] != "allow", dict.fromkeys(PROFILES, got[1])))
        yield cell, Rate(same, len(trials))


def _streamed(filter: Filter, pieces: Sequence[str]) -> tuple[str, str]:
    """What went out, and the action."""
    stream = filter.stream()
    out = "".join(stream.feed(piece) for piece in pieces)
    rest, verdict = stream.flush()
    return out + rest, verdict.action


def _words(text: str) -> list[int]:
    hashes: list[int] = _core.tokenize(text)[0].tolist()
    return hashes


def _longest_run(first: Sequence[int], second: Sequence[int]) -> int:
    longest, ending = 0, [0] * (len(second) + 1)
    for token in first:
        ending = [0] + [ending[at] + 1 if token == other else 0 for at, other in enumerate(second)]
        longest = max(longest, *ending)
    return longest

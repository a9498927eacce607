"""Copies of prose, attacked and planted in unrelated text: which are found, flagged and blocked.

A trial takes a random passage of a random protected document, attacks it, and plants it between 60
words of unrelated text on either side. Found: a match names the document and meets the passage.
Flagged, blocked: a profile does so, or more, for such matches. The same seed gives the same trials.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from dedup import Filter, Index, Match, Policy

from .attack import Attack, Dice
from .corpora import Prose
from .interval import Rate

__all__ = [
    "PROFILES",
    "STRENGTH",
    "Cell",
    "Outcome",
    "Trial",
    "ask",
    "ask_all",
    "planted",
    "run",
    "run_split",
    "trials_of",
]

PROFILES = ("strict", "balanced", "lenient")
_POLICIES = {name: Policy.load(name) for name in PROFILES}
# Actions, from weak to strong.
STRENGTH = ("allow", "flag", "redact", "block")
_AROUND_WORDS = 60
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Trial:
    """A query, and where in its UTF-8 the copy of which document is."""

    query: str
    documents: frozenset[str]
    begin: int
    end: int
    original: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a query led to, by matches that name the right document and meet the copy.

    Attributes
    ----------
    actions : dict
        Of each profile.
    rule : str
        The rule of the balanced profile; empty if none fired.
    covered : float
        Share of the bytes of the copy that some match covers.
    outside : int
        Words that a match takes for a part of the copy and that are none.
    """

    found: bool
    actions: dict[str, str]
    rule: str = ""
    covered: float = 0.0
    outside: int = 0


@dataclass(slots=True)
class Cell:
    """Outcomes of one attack at one strength and length."""

    row: str
    attack: str
    strength: float
    length: int | str
    view: str = "text"
    outcomes: list[Outcome] = field(default_factory=list)
    idle: int = 0

    def rate(self, level: str, profile: str = "balanced") -> Rate:
        """How many were ``found``, or led to ``flag`` or ``block`` or more."""
        if level == "found":
            hits = sum(outcome.found for outcome in self.outcomes)
        else:
            least = STRENGTH.index(level)
            hits = sum(STRENGTH.index(o.actions[profile]) >= least for o in self.outcomes)
        return Rate(hits, len(self.outcomes))

    def to_dict(self) -> dict[str, Any]:
        found = [outcome for outcome in self.outcomes if outcome.found]
        rules: dict[str, int] = defaultdict(int)
        for outcome in self.outcomes:
            rules[outcome.rule or "-"] += 1
        return {
            "row": self.row,
            "attack": self.attack,
            "strength": self.strength,
            "length": self.length,
            "view": self.view,
            "n": len(self.outcomes),
            "idle": self.idle,
            "found": self.rate("found").to_dict(),
            **{
                level: {profile: self.rate(level, profile).to_dict() for profile in PROFILES}
                for level in ("flag", "block")
            },
            "rules": dict(sorted(rules.items())),
            "covered": {
                "median": round(median([o.covered for o in found]), 3) if found else None,
                "p10": round(_quantile([o.covered for o in found], 0.1), 3) if found else None,
            },
            "outside_words": {
                "median": median([o.outside for o in found]) if found else None,
                "p90": _quantile([o.outside for o in found], 0.9) if found else None,
            },
        }


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


# ---- making


def trials_of(prose: Prose, attack: Attack, strength: float, length: int, n: int) -> list[Trial]:
    """`n` passages of so many words, attacked and planted."""
    dice = Dice(f"{attack.name} {strength:g} {length}", prose.vocabulary)
    return [
        planted(prose, document, attack.edit(passage, strength, dice), passage, dice)
        for document, passage in _passages(prose, length, n, dice)
    ]


def planted(prose: Prose, document: str, copy: str, original: str, dice: Dice) -> Trial:
    """The copy between unrelated words."""
    carrier = dice.choice(prose.carriers)
    cut = dice.randrange(len(carrier) - 2 * _AROUND_WORDS)
    before = " ".join(carrier[cut : cut + _AROUND_WORDS]) + " "
    after = " " + " ".join(carrier[cut + _AROUND_WORDS : cut + 2 * _AROUND_WORDS])
    begin = len(before.encode())
    end = begin + len(copy.encode())
    return Trial(before + copy + after, frozenset([document]), begin, end, original)


_words_of: dict[str, list[tuple[int, int]]] = {}


def _passages(prose: Prose, length: int, n: int, dice: Dice) -> Iterator[tuple[str, str]]:
    """Document and passage, as it stands there."""
    for name in prose.copied:
        if name not in _words_of:
            _words_of[name] = [word.span() for word in _WORD.finditer(prose.protected[name])]
    names = [name for name in prose.copied if len(_words_of[name]) > length]
    for _ in range(n):
        name = dice.choice(names)
        words = _words_of[name]
        at = dice.randrange(len(words) - length)
        yield name, prose.protected[name][words[at][0] : words[at + length - 1][1]]


# ---- asking


def run(
    index: Index, prose: Prose, attack: Attack, strength: float, length: int, n: int
) -> tuple[Cell, list[Trial]]:
    """The cell of an attack, and the trials for others to try."""
    trials = trials_of(prose, attack, strength, length, n)
    cell = Cell(attack.row, attack.name, strength, length)
    cell.outcomes = ask_all(index, trials)
    return cell, trials


def ask_all(index: Index, trials: Sequence[Trial]) -> list[Outcome]:
    answers = index.search_batch([trial.query for trial in trials], 1)
    return [_judged(trial, matches) for trial, matches in zip(trials, answers, strict=True)]


def ask(index: Index, trial: Trial) -> Outcome:
    return _judged(trial, index.search(trial.query))


def _judged(trial: Trial, matches: list[Match]) -> Outcome:
    right = [
        match
        for match in matches
        if match.document in trial.documents
        and match.query_span.start < trial.end
        and match.query_span.end > trial.begin
    ]
    if not right:
        return Outcome(False, dict.fromkeys(PROFILES, "allow"))
    verdicts = {name: policy.judge(trial.query, right) for name, policy in _POLICIES.items()}
    covered, outside = _places(trial, right)
    return Outcome(
        found=True,
        actions={name: verdict.action for name, verdict in verdicts.items()},
        rule=verdicts["balanced"].rule or "",
        covered=covered,
        outside=outside,
    )


def _places(trial: Trial, matches: Iterable[Match]) -> tuple[float, int]:
    data = trial.query.encode()
    inside, outside, shown = 0, 0, 0
    for start, end in sorted(match.query_span for match in matches):
        start = max(start, shown)
        if start >= end:
            continue
        shown = end
        inside += max(0, min(end, trial.end) - max(start, trial.begin))
        for low, high in ((start, min(end, trial.begin)), (max(start, trial.end), end)):
            if low < high:
                outside += len(data[low:high].split())
    return inside / max(1, trial.end - trial.begin), outside


# ---- split: rows 19 and 20

# Name, words of the passage, whether each part is between unrelated words, and how many parts.
_FIELDS: tuple[tuple[str, int, bool, tuple[int, ...]], ...] = (
    ("fields of an answer, running on", 60, False, (2, 4, 8, 60)),
    ("fields of an answer, each in other words", 60, True, (2, 4)),
)
_REQUEST_WORDS: tuple[int, ...] = (40, 20, 10)
_REQUESTS_PASSAGE = 200


def run_split(index: Index, prose: Prose, n: int) -> Iterator[Cell]:
    """A passage in fields that are checked together, and in requests, each by itself."""
    filters = {name: Filter(index, policy) for name, policy in _POLICIES.items()}
    for name, length, is_apart, strengths in _FIELDS:
        for parts in strengths:
            dice = Dice(f"{name} {parts}", prose.vocabulary)
            cell = Cell("19", name, parts, length)
            for document, passage in _passages(prose, length, n, dice):
                pieces = _pieces(passage, -(-length // parts))
                if is_apart:
                    pieces = [planted(prose, document, one, one, dice).query for one in pieces]
                best = {
                    profile: max(
                        (
                            (STRENGTH.index(ruling.action), ruling.rule)
                            for verdict in filter.check_all(pieces)
                            for ruling in verdict.rulings
                            if ruling.match.document == document
                        ),
                        default=(0, ""),
                    )
                    for profile, filter in filters.items()
                }
                cell.outcomes.append(
                    Outcome(
                        found=best["strict"][1] != "",
                        actions={
                            profile: STRENGTH[action] for profile, (action, _) in best.items()
                        },
                        rule=best["balanced"][1],
                    )
                )
            yield cell
    for size in _REQUEST_WORDS:
        dice = Dice(f"requests of so many words {size}", prose.vocabulary)
        cell = Cell("20", "requests of so many words", size, _REQUESTS_PASSAGE)
        for document, passage in _passages(prose, _REQUESTS_PASSAGE, n, dice):
            parts = [planted(prose, document, part, part, dice) for part in _pieces(passage, size)]
            cell.outcomes.append(
                max(
                    ask_all(index, parts),
                    key=lambda o: (STRENGTH.index(o.actions["balanced"]), o.found),
                )
            )
        yield cell


def _pieces(passage: str, size: int) -> list[str]:
    words = passage.split()
    return [" ".join(words[at : at + size]) for at in range(0, len(words), size)]

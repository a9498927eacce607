"""Other tools on the same pairs: recall where they block as many unrelated texts as we do.

The score of each tool is cut where it is over for no more unrelated texts than `dedup` blocks, so
every one has the best threshold there is for these very texts; ours is the balanced profile's.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dedup import Index, Policy

from ..rivals import datasketch_rival, lexeme_rival, portrait_rival
from .interval import Rate
from .trials import Trial, ask_all

__all__ = ["Pair", "code_engines", "compared", "prose_engines"]

Query = Callable[[str], tuple[str, float]]
Engine = tuple[str, Query]


@dataclass(frozen=True, slots=True)
class Pair:
    """A copy and the attack it went through."""

    attack: str
    trial: Trial


def prose_engines(documents: dict[str, str]) -> list[Engine]:
    """Windows are as long as the copies of prose that are compared, which favours them."""
    engines: list[Engine] = []
    for window, shingle in ((0, 3), (60, 3), (60, 1)):
        sketch = datasketch_rival.build(documents, window, shingle)
        engines.append(_bound(datasketch_rival.label(sketch), datasketch_rival.query, sketch))
    for width in (50, 25):
        portrait = portrait_rival.build(documents, width)
        engines.append(_bound(portrait_rival.label(portrait), portrait_rival.query, portrait))
    for length in (65, 24):
        lexemes = lexeme_rival.build(documents, length)
        engines.append(_bound(lexeme_rival.label(lexemes), lexeme_rival.query, lexemes))
    return engines


def code_engines(documents: dict[str, str]) -> list[Engine]:
    engines = prose_engines(documents)
    try:
        from ..rivals import copydetect_rival
    except ImportError:
        print("copydetect is not installed; left out", file=sys.stderr)
        return engines
    built = copydetect_rival.build(documents, 25, 1)
    name = copydetect_rival.label(built)
    return [*engines, (name, lambda text: copydetect_rival.query(built, "query.py", text))]


def _bound(name: str, query: Callable[[Any, str], tuple[str, float]], built: Any) -> Engine:
    return name, lambda text: query(built, text)


def compared(
    index: Index, engines: Sequence[Engine], pairs: Sequence[Pair], unrelated: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each engine: recall by attack, false blocks, the score cut at, time."""
    policy = Policy.balanced()
    start = time.perf_counter()
    outcomes = ask_all(index, [pair.trial for pair in pairs])
    mean_s = (time.perf_counter() - start) / max(1, len(pairs))
    false = sum(
        policy.judge(text, matches).action == "block"
        for text, matches in zip(unrelated, index.search_batch(list(unrelated), 1), strict=True)
    )
    hits = [outcome.actions["balanced"] == "block" for outcome in outcomes]
    rows = [_row("dedup, balanced", "", pairs, hits, false, len(unrelated), mean_s)]
    for name, query in engines:
        print(name, file=sys.stderr, flush=True)
        start = time.perf_counter()
        answers = [query(pair.trial.query) for pair in pairs]
        mean_s = (time.perf_counter() - start) / max(1, len(pairs))
        wrong = sorted((query(text)[1] for text in unrelated), reverse=True)
        limit = wrong[false] if false < len(wrong) else 0.0
        hits = [
            score > limit and (not document or document in pair.trial.documents)
            for (document, score), pair in zip(answers, pairs, strict=True)
        ]
        alarms = sum(score > limit for score in wrong)
        rows.append(_row(name, f"{limit:.3g}", pairs, hits, alarms, len(unrelated), mean_s))
    return rows


def _row(
    name: str,
    limit: str,
    pairs: Sequence[Pair],
    hits: Sequence[bool],
    false: int,
    unrelated: int,
    mean_s: float,
) -> dict[str, Any]:
    by_attack: dict[str, list[bool]] = defaultdict(list)
    for pair, hit in zip(pairs, hits, strict=True):
        by_attack[pair.attack].append(hit)
    return {
        "engine": name,
        "score over": limit,
        "false": Rate(false, unrelated).to_dict(),
        "recall": {a: Rate(sum(h), len(h)).to_dict() for a, h in by_attack.items()},
        "ms a query": round(1000 * mean_s, 3),
    }

"""Copies of code, attacked: which are found, flagged and blocked.

Python functions of the standard library go through ``python_attacks`` and ``statements``; windows
of whole JavaScript and C++ files through the formatters of ``tools``. Right is every place where
the same function stands, or one that only names and literals tell from it.
"""

import math
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence

from dedup import Index

from .corpora import Part, is_in
from .functions import Documents, Function, Place, alpha_key, places_of
from .python_attacks import Copy, copies, minified_of
from .statements import further_copies
from .tools import Reformatted
from .trials import Cell, Trial, ask, ask_all

__all__ = ["LEAST_TOKENS", "TOO_SHORT", "run_python", "run_reformatted", "sample"]

LEAST_TOKENS = 65
# A copy of fewer tokens is not promised to be found.
TOO_SHORT = "under 65"
_LENGTHS = (
    (LEAST_TOKENS, TOO_SHORT),
    (100, "65-100"),
    (200, "100-200"),
    (math.inf, "over 200"),
)
_WINDOW_CHARACTERS = 1500

# Names of ``python_attacks.copies`` by row; what is renamed besides is two attacks in one.
_ROWS = (
    (r"as it is", "0"),
    (r"black|renamed, minified layout", "C3"),
    (r"renamed(, black| alone, black)|all names .*", "C2"),
    (r"strong minify.*|renamed, .*", "C10"),
    (r"verbatim, a comment.*", "C1"),
    (r"verbatim, (`_ = 0`|varied dead code).*", "C4"),
    (r"verbatim, assignments reordered", "C5"),
    (r"verbatim, (for as while|if/else swapped)", "C6"),
    (r"verbatim, .*", "C9"),
)
_PERIOD = re.compile(r" after (\d+)( statements)?$")


def sample(functions: Sequence[Function], n: int, part: Part, seed: int) -> list[Function]:
    """`n` functions that are long enough, by document."""
    long = [f for f in functions if len(f.tokens) >= LEAST_TOKENS and is_in(part, f.document)]
    chosen = random.Random(seed).sample(long, min(n, len(long)))
    return sorted(chosen, key=lambda function: (function.document, function.number))


def run_python(
    index: Index, documents: Documents, functions: Sequence[Function], chosen: Sequence[Function]
) -> tuple[list[Cell], list[tuple[str, Trial]]]:
    """Cells by attack and length, and every trial by the name of its attack."""
    places = places_of(list(functions))
    siblings: dict[str, list[Function]] = defaultdict(list)
    for function in functions:
        siblings[function.document].append(function)
    cells: dict[tuple[str, str, float, str], Cell] = {}
    tried: list[tuple[str, Trial]] = []
    for number, function in enumerate(chosen):
        if number % 20 == 0:
            print(f"function {number} of {len(chosen)}", file=sys.stderr, flush=True)
        right = places[function.tokens] + places[alpha_key(function.tokens)]
        made = _copies(function, documents[function.document], siblings[function.document])
        for row, name, strength, copy in made:
            tokens = copy.tokens or len(function.tokens)
            length = next(label for most, label in _LENGTHS if tokens < most)
            key = (row, name, strength, length)
            cell = cells.setdefault(key, Cell(row, name, strength, length, "code"))
            if copy.text:
                trial = _trial(copy, right, function)
                cell.outcomes.append(ask(index, trial))
                tried.append((name, trial))
            else:
                cell.idle += 1
    return list(cells.values()), tried


def _trial(copy: Copy, right: Sequence[Place], function: Function) -> Trial:
    names = frozenset(place.document for place in right)
    return Trial(copy.text or "", names, copy.begin, copy.end, function.text)


def _copies(
    function: Function, source: str, siblings: Sequence[Function]
) -> Iterator[tuple[str, str, float, Copy]]:
    renamed, strong = minified_of(function, source)
    rng = random.Random(f"{function.document} {function.qualname}")
    for name, copy in copies(function, renamed, strong, rng):
        row = next(row for pattern, row in _ROWS if re.fullmatch(pattern, name))
        period = _PERIOD.search(name)
        strength = float(period[1]) if period else 1.0
        yield row, _PERIOD.sub(" after every n-th", name), strength, copy
    rng = random.Random(f"{function.document} {function.qualname} further")
    for row, strength, name, copy in further_copies(function, siblings, rng):
        yield row, name, strength, copy


def run_reformatted(index: Index, files: Sequence[Reformatted], windows: int) -> list[Cell]:
    """Windows of files that went through a formatter of their language."""
    cells: dict[str, Cell] = {}
    for file in files:
        rng = random.Random(f"{file.name} {file.tool}")
        names = frozenset([file.name])
        cell = cells.setdefault(file.tool, Cell("C3", file.tool, 1, "1,500 characters", "code"))
        trials = []
        for _ in range(windows):
            at = rng.randrange(max(1, len(file.text) - _WINDOW_CHARACTERS))
            window = file.text[at : at + _WINDOW_CHARACTERS]
            trials.append(Trial(window, names, 0, len(window.encode())))
        cell.outcomes += ask_all(index, trials)
    return list(cells.values())

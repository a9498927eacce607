"""Passages of a text: rulings on the same stretch of it are one thing to a reader.

Takes the rulings of a verdict, gives them in groups. A passage that stands in five protected
documents, or is found by its words and by its lexemes, is one passage with several rulings.
"""

from collections.abc import Sequence

from dedup.match import Span
from dedup.policy import STRENGTH, Ruling

__all__ = ["passages"]


def passages(rulings: Sequence[Ruling]) -> list[tuple[Ruling, ...]]:
    """The rulings on each passage, the strongest first, in the order of the text.

    A ruling belongs to the first stronger one that covers the middle of its span, and so at least
    half of what it is about; else it heads a passage of its own.

    Notes
    -----
    Quadratic in the rulings whose spans hang together, of which there are few.
    """
    groups: list[tuple[Ruling, ...]] = []
    chain: list[tuple[int, Ruling]] = []
    end = 0
    for rank, ruling in sorted(enumerate(rulings), key=lambda item: item[1].match.query_span):
        span = ruling.match.query_span
        if chain and span.start >= end:
            groups += _split(chain)
            chain, end = [], 0
        chain.append((rank, ruling))
        end = max(end, span.end)
    return groups + _split(chain)


def _split(chain: list[tuple[int, Ruling]]) -> list[tuple[Ruling, ...]]:
    """The passages of rulings whose spans overlap one another in a row."""
    groups: list[tuple[Span, list[Ruling]]] = []
    for _, ruling in sorted(chain, key=lambda item: (-STRENGTH[item[1].action], item[0])):
        span = ruling.match.query_span
        middle = (span.start + span.end) // 2
        for head, group in groups:
            if head.start <= middle < head.end:
                group.append(ruling)
                break
        else:
            groups.append((span, [ruling]))
    return [tuple(group) for _, group in sorted(groups, key=lambda item: item[0])]

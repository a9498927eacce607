"""A finding as a page shows it: both sides in lines, and in each what became of its words.

Takes findings and, where they are at hand, the texts of the protected documents; gives Cards.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dedup.excerpt import PASSAGE_BYTES, Excerpt, excerpt_of
from dedup.originals import Originals
from dedup.policy import Ruling
from dedup.report import printable
from dedup.reports.compare import Piece, compare
from dedup.reports.finding import Finding

__all__ = ["Card", "Side", "cards_of", "shown"]

_MAX_SOURCES: Final = 10
_MAX_NAMES: Final = 24

# An original has more words than its copy where the copy leaves some out.
_ORIGINAL_BYTES: Final = PASSAGE_BYTES * 3 // 2


@dataclass(frozen=True, slots=True)
class Side:
    """A passage in its lines, each a list of pieces of text and what they are."""

    first_line: int
    lines: list[list[tuple[str, str]]]
    left_out: int


@dataclass(frozen=True, slots=True)
class Card:
    """A finding as the page shows it.

    Attributes
    ----------
    number : int
        Its place among all findings in the order of the rows, from 1.
    copy : Side or None
        None if the row has no excerpt.
    original : Side or None
        None if the text of the protected document is not at hand.
    renamed : tuple of (str, str)
        Names of the original and what became of them.
    others : tuple of Ruling
        On the same passage; `more` counts those left out.
    """

    number: int
    finding: Finding
    copy: Side | None
    original: Side | None
    renamed: tuple[tuple[str, str], ...]
    others: tuple[Ruling, ...]
    more: int

    @property
    def is_code(self) -> bool:
        return self.finding.match.view != "text" or bool(self.finding.match.language)

    @property
    def lines(self) -> str:
        """``line 3`` or ``lines 3–9`` of the document checked."""
        place = self.finding.evidence.place
        return _lines(place.start_line, place.end_line)

    def labels(self, name: str) -> list[str]:
        """The corpora, owners or licences of all its sources."""
        values = (getattr(ruling.match, name) for ruling in self.finding.rulings)
        return sorted({shown(value) for value in values})


def cards_of(found: list[tuple[int, Finding]], originals: Originals | None) -> Iterator[Card]:
    """The cards of numbered findings, in their order."""
    excerpts: dict[int, Excerpt] = {}
    if originals is not None and originals.has_sources:
        wanted: dict[str, list[tuple[int, Finding]]] = {}
        for number, finding in found:
            wanted.setdefault(finding.match.document, []).append((number, finding))
        for document, text in originals.texts(wanted).items():
            for number, finding in wanted[document]:
                span = finding.match.document_span
                excerpts[number] = excerpt_of(text, span, _ORIGINAL_BYTES)
    for number, finding in found:
        yield _card(number, finding, excerpts.get(number))


def _card(number: int, finding: Finding, there: Excerpt | None) -> Card:
    here = finding.evidence.excerpt
    renamed: tuple[tuple[str, str], ...] = ()
    copy = original = None
    if here is not None and there is not None:
        compared = compare(
            there.passage,
            here.passage,
            is_renamed=finding.match.kind == "renamed",
            is_cut=here.left_out > 0,
        )
        renamed = compared.renamed[:_MAX_NAMES]
        copy = _side(here, compared.copy)
        original = _side(there, compared.original)
    elif here is not None:
        copy = _side(here, (Piece(here.passage, "same"),))
    others = finding.rulings[1:]
    return Card(
        number,
        finding,
        copy,
        original,
        renamed,
        others[:_MAX_SOURCES],
        len(others[_MAX_SOURCES:]),
    )


def _side(excerpt: Excerpt, pieces: Iterable[Piece]) -> Side:
    marked = [
        (excerpt.before, "around"),
        *((piece.text, "" if piece.change == "same" else piece.change) for piece in pieces),
        (excerpt.after, "around"),
    ]
    lines: list[list[tuple[str, str]]] = [[]]
    for text, mark in marked:
        first, *others = text.split("\n")
        lines[-1].append((first, mark))
        for line in others:
            words = line.lstrip(" \t")  # nothing has to be marked of an indentation
            lines.append([(line[: len(line) - len(words)], ""), (words, mark)])
    lines = [[(text.removesuffix("\r"), mark) for text, mark in line] for line in lines]
    lines = [[(text, mark) for text, mark in line if text] for line in lines]
    blank = next((n for n, line in enumerate(lines) if any(text.strip() for text, _ in line)), 0)
    return Side(excerpt.first_line + blank, lines[blank:], excerpt.left_out)


def _lines(first: int, last: int) -> str:
    return f"line {first:,}" if first == last else f"lines {first:,}–{last:,}"


def shown(text: str) -> str:
    """Whatever a text or a name holds, as characters that do nothing to the page."""
    return printable(text, keep="\n\t")
